/**
 * Attaching a volume for the fileserver: reading it, twice, under its lock, and deciding what it is fit for.
 *
 *     read lock · header: its group's read-write volume? ──no──► VolumeInfo ──► checks
 *        │ yes
 *     unlock · write lock · header once more, VolumeInfo ──► checks · VolumeInfo written · unlock
 *
 * The first lock is the one that a read-only volume needs; what a volume is can only be read. The header tells it: a
 * read-write volume has its group's id. VolumeInfo has the last word, and where it contradicts, the lock is taken anew as it
 * says. A lock is never upgraded in place. Nothing here waits: a lock that somebody holds is an outcome. The lock is held until the end of the attach and
 * not while the volume is online: then the checkout keeps others away. OpenAFS vol/volume.c (attach_volume_header, attach2).
 */
import { type DiskFile, isDiskError } from "../disk/disk.ts"
import { AfsError, FormatError, isAfsError } from "../error.ts"
import { type VolumeAccess, volumeLockType } from "../lock/lock-type.ts"
import { lockVolume } from "../lock/volume-lock.ts"
import { InodeStore } from "../partition/inode-store.ts"
import { headerPath, type Partition } from "../partition/partition.ts"
import { programTypeName, programTypes, volumeTypes } from "../protocol/codes.ts"
import { Attachment } from "./attachment.ts"
import { lookAtIndexes, requireRecords } from "./index-contents.ts"
import { type InfoChanges, infoByte, infoWord, requireInfoOf } from "./info-fields.ts"
import type { SalvageReason } from "./server-volume.ts"
import { requireHeader } from "./volume.ts"
import { infoInode, requireOwnInodes, type VolumeHeader } from "./volume-header.ts"
import { destroyMeMark, type VolumeInfo, volumeInfoLayout } from "./volume-info.ts"

/** How an attach ended. Every one of them leaves the volume unlocked. */
export type AttachOutcome =
  | { readonly kind: "attached"; readonly attachment: Attachment }
  /** Somebody holds the lock, or there is a shortage of descriptors, memory or space: the volume itself may be sound. */
  | { readonly kind: "busy"; readonly error: Error }
  /** No header, or none that can be used. */
  | { readonly kind: "missing"; readonly error: Error }
  | { readonly kind: "damaged"; readonly reason: SalvageReason; readonly error: Error }
  /** Made or deleted half-way: the salvage removes it. */
  | { readonly kind: "doomed" }
  | { readonly kind: "notBlessed" }
  | { readonly kind: "notInService" }

/** The type may differ each time it is read; so often it is followed. */
const passesMax = 10

/** Attaches a volume. `breakCallbacks` runs where a salvager asked for it. Throws only for bugs. */
export function attachVolume(partition: Partition, id: number, breakCallbacks: (id: number) => void): AttachOutcome {
  let access: VolumeAccess | undefined
  try {
    for (let pass = 1; pass <= passesMax; pass++) {
      const type = lockFor(access ?? "readonly")
      using _lock = lockVolume(partition, id, type, "attach")
      const header = requireHeader(partition, id)
      if (access === undefined && isGroupOwner(header)) {
        access = "readwrite"
        continue
      }
      using found = openInfo(partition, header)
      access = accessOf(found.bytes)
      if (lockFor(access) === type) return attachLocked(partition, found, breakCallbacks)
    }
  } catch (error) {
    return outcomeOf(error)
  }
  const detail = `its type changed between ${passesMax} looks`
  return {
    kind: "busy",
    error: new AfsError("LOCKED", "attach", { volume: id, partition: partition.name }, { detail }),
  }
}

function lockFor(access: VolumeAccess): "read" | "write" {
  const type = volumeLockType("fileServer", undefined, access)
  return type === "none" ? "read" : type
}

/** A group has the id of its read-write volume. */
const isGroupOwner = (header: VolumeHeader): boolean => header.id === header.parent

/** What a volume is, read without any lock: only good for telling a read-write volume from the others. */
export function peekReadWrite(partition: Partition, id: number): boolean | AttachOutcome {
  try {
    using found = openInfo(partition, requireHeader(partition, id))
    return accessOf(found.bytes) === "readwrite"
  } catch (error) {
    return outcomeOf(error)
  }
}

/** The header is there and sound, but what it leads to is not. */
class Damage extends Error {}

/** One attach at a time reads here: nothing waits between reading and keeping. */
const scratch = new Uint8Array(volumeInfoLayout.size)

/** A volume's information, read; its file stays open until the end of the scope. */
class FoundInfo implements Disposable {
  readonly header: VolumeHeader
  readonly store: InodeStore
  readonly file: DiskFile
  /** Valid until the next one is read. */
  readonly bytes = scratch

  constructor(header: VolumeHeader, store: InodeStore, file: DiskFile) {
    this.header = header
    this.store = store
    this.file = file
  }

  [Symbol.dispose](): void {
    this.file.close()
  }
}

function openInfo(partition: Partition, header: VolumeHeader): FoundInfo {
  const store = new InodeStore(partition, header.parent)
  return damageIfBad(() => {
    const found = new FoundInfo(header, store, store.open(infoInode(header), "write"))
    try {
      requireInfoOf(header.id, found.bytes, found.file.read(found.bytes, 0), found.file.path)
      return found
    } catch (error) {
      found.file.close()
      throw error
    }
  })
}

function accessOf(bytes: Uint8Array): VolumeAccess {
  return infoWord(bytes, "type") === volumeTypes.RW ? "readwrite" : "readonly"
}

function attachLocked(partition: Partition, found: FoundInfo, breakCallbacks: (id: number) => void): AttachOutcome {
  const { header, store, bytes, file } = found
  requireOwnInodes(header, headerPath(partition, header.id))
  const contents = damageIfBad(() => lookAtIndexes(store, header))
  // Copied into Node's pool: a buffer of its own would cost as much again as what it holds.
  const attachment = new Attachment(header, Buffer.from(bytes))
  if (infoWord(bytes, "statInitialized") === 0) attachment.edit(clearStatistics)
  const refusal = refuseByFlags(partition, found, attachment)
  if (refusal !== undefined) return refusal
  damageIfBad(() => requireRecords(contents, bytes))
  const needsCallback = infoByte(bytes, "needsCallback") !== 0
  if (needsCallback) breakCallbacks(header.id)
  if (attachment.blessed && attachment.inService) {
    damageIfBad(() => attachment.write(partition, inUseByServer, file))
    return { kind: "attached", attachment }
  }
  if (needsCallback) damageIfBad(() => attachment.write(partition, { needsCallback: 0 }, file))
  return { kind: attachment.blessed ? "notInService" : "notBlessed" }
}

const inUseByServer: InfoChanges = { inUse: programTypes.fileServer, needsCallback: 0, offlineMessage: "" }

/** The statistics area of a volume that never was attached holds whatever its creator left there. */
function clearStatistics(info: VolumeInfo): void {
  info.statReads.fill(0)
  info.statWrites.fill(0)
  info.statFileSameAuthor.fill(0)
  info.statFileDiffAuthor.fill(0)
  info.statDirSameAuthor.fill(0)
  info.statDirDiffAuthor.fill(0)
  info.statInitialized = 1
}

function refuseByFlags(partition: Partition, found: FoundInfo, attachment: Attachment): AttachOutcome | undefined {
  const { bytes, file, header } = found
  if (infoByte(bytes, "needsSalvaged") !== 0) return needed(header.id, "it is marked for a salvage")
  const inUse = infoByte(bytes, "inUse")
  if (inUse !== 0 && attachment.readWrite) {
    damageIfBad(() => attachment.write(partition, { needsSalvaged: 1 }, file))
    return needed(header.id, `it was in use by ${programTypeName(inUse)}, which did not give it back`)
  }
  return infoByte(bytes, "destroyMe") === destroyMeMark ? { kind: "doomed" } : undefined
}

function needed(volume: number, detail: string): AttachOutcome {
  return { kind: "damaged", reason: "NEEDED", error: new AfsError("VSALVAGE", "attach", { volume }, { detail }) }
}

function damageIfBad<T>(work: () => T): T {
  try {
    return work()
  } catch (error) {
    if (error instanceof FormatError || (isDiskError(error) && !isShortage(error))) {
      throw new Damage(error.message, { cause: error })
    }
    throw error
  }
}

const isShortage = (error: unknown): boolean => isDiskError(error, "EMFILE", "ENFILE", "ENOMEM", "ENOSPC", "EDQUOT")

function outcomeOf(error: unknown): AttachOutcome {
  if (isAfsError(error, "LOCKED") || (isDiskError(error) && isShortage(error))) return { kind: "busy", error }
  if (error instanceof Damage) return { kind: "damaged", reason: "ERROR", error }
  if (isAfsError(error, "VNOVOL") || error instanceof FormatError || isDiskError(error))
    return { kind: "missing", error }
  throw error
}
