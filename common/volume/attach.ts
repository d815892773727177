/**
 * Attaching a volume for the fileserver: reading it, twice, under its lock, and deciding what it is fit for.
 *
 *     read lock · header, VolumeInfo: read-write? ──no──► checks
 *        │ yes
 *     unlock · write lock · header, VolumeInfo once more ──► checks · VolumeInfo written · unlock
 *
 * The first lock is the one that a read-only volume needs; what a volume is can only be read. A lock is never upgraded in
 * place. Nothing here waits: a lock that somebody holds is an outcome. The lock is held until the end of the attach and
 * not while the volume is online: then the checkout keeps others away. OpenAFS vol/volume.c (attach_volume_header, attach2).
 */
import { type DiskFile, isDiskError } from "../disk/disk.ts"
import { AfsError, FormatError, isAfsError } from "../error.ts"
import { volumeLockType } from "../lock/lock-type.ts"
import { lockVolume } from "../lock/volume-lock.ts"
import type { Inode } from "../partition/inode-number.ts"
import { InodeStore } from "../partition/inode-store.ts"
import { LinkTable } from "../partition/link-table.ts"
import type { Partition } from "../partition/partition.ts"
import { programTypes, volumeTypes } from "../protocol/codes.ts"
import { VnodeIndex } from "../vnode/vnode-index.ts"
import { Attachment } from "./attachment.ts"
import type { SalvageReason } from "./server-volume.ts"
import { requireHeader } from "./volume.ts"
import { infoInode, largeIndexInode, linkTableInode, smallIndexInode, type VolumeHeader } from "./volume-header.ts"
import { destroyMeMark, parseVolumeInfo, type VolumeInfo, volumeInfoLayout } from "./volume-info.ts"

/** How an attach ended. Every one of them leaves the volume unlocked. */
export type AttachOutcome =
  | { readonly kind: "attached"; readonly attachment: Attachment }
  /** Somebody holds the lock, or this process is short of descriptors or memory: the volume itself may be sound. */
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
  let access: "readonly" | "readwrite" = "readonly"
  try {
    for (let pass = 1; pass <= passesMax; pass++) {
      const type = volumeLockType("fileServer", undefined, access)
      using _lock = lockVolume(partition, id, type === "none" ? "read" : type, "attach")
      const seen = readInfo(partition, id)
      const found = seen.info.type === volumeTypes.RW ? "readwrite" : "readonly"
      if (volumeLockType("fileServer", undefined, found) === type) return attachLocked(partition, seen, breakCallbacks)
      access = found
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

/** What a volume is, read without any lock: only good for telling a read-write volume from the others. */
export function peekReadWrite(partition: Partition, id: number): boolean | AttachOutcome {
  try {
    return readInfo(partition, id).info.type === volumeTypes.RW
  } catch (error) {
    return outcomeOf(error)
  }
}

interface Seen {
  readonly header: VolumeHeader
  readonly info: VolumeInfo
  readonly bytes: Uint8Array
}

/** The header is there and sound, but what it leads to is not. */
class Damage extends Error {}

function readInfo(partition: Partition, id: number): Seen {
  const header = requireHeader(partition, id)
  const store = new InodeStore(partition, header.parent)
  const bytes = new Uint8Array(volumeInfoLayout.size)
  const info = damageIfBad(() => {
    using file = store.open(infoInode(header), "read")
    const length = file.read(bytes, 0)
    return requireOwn(parseVolumeInfo(bytes.subarray(0, length), file.path), header, file.path)
  })
  return { header, info, bytes }
}

function requireOwn(info: VolumeInfo, header: VolumeHeader, path: string): VolumeInfo {
  if (info.id === header.id) return info
  throw new FormatError(
    "VolumeInfo",
    { path, offset: volumeInfoLayout.offsets["id"] },
    `volume id ${info.id}`,
    `${header.id}`,
  )
}

function attachLocked(partition: Partition, seen: Seen, breakCallbacks: (id: number) => void): AttachOutcome {
  const { header, info } = seen
  damageIfBad(() => checkStamps(new InodeStore(partition, header.parent), header))
  const attachment = new Attachment(header, seen.bytes)
  if (info.statInitialized === 0) attachment.edit(clearStatistics)
  const refusal = refuseByFlags(partition, info, attachment)
  if (refusal !== undefined) return refusal
  if (info.needsCallback !== 0) breakCallbacks(header.id)
  const fit = info.blessed !== 0 && info.inService !== 0
  if (fit) {
    damageIfBad(() => attachment.write(partition, markInUse))
    return { kind: "attached", attachment }
  }
  if (info.needsCallback !== 0) damageIfBad(() => attachment.write(partition, clearNeedsCallback))
  return { kind: info.blessed === 0 ? "notBlessed" : "notInService" }
}

function markInUse(info: VolumeInfo): void {
  info.inUse = programTypes.fileServer
  info.needsCallback = 0
  info.offlineMessage = ""
}

function clearNeedsCallback(info: VolumeInfo): void {
  info.needsCallback = 0
}

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

function refuseByFlags(partition: Partition, info: VolumeInfo, attachment: Attachment): AttachOutcome | undefined {
  if (info.needsSalvaged !== 0) return needed(info, "it is marked for a salvage")
  if (info.inUse !== 0 && attachment.readWrite) {
    damageIfBad(() =>
      attachment.write(partition, (edited) => {
        edited.needsSalvaged = 1
      }),
    )
    return needed(info, `it was in use by program type ${info.inUse} that did not give it back`)
  }
  return info.destroyMe === destroyMeMark ? { kind: "doomed" } : undefined
}

function needed(info: VolumeInfo, detail: string): AttachOutcome {
  return {
    kind: "damaged",
    reason: "NEEDED",
    error: new AfsError("VSALVAGE", "attach", { volume: info.id }, { detail }),
  }
}

/** @throws FormatError or DiskError if an index or the link table is not there or does not begin as it must */
function checkStamps(store: InodeStore, header: VolumeHeader): void {
  const check = (inode: Inode, look: (file: DiskFile) => void): void => {
    using file = store.open(inode, "read")
    look(file)
  }
  check(smallIndexInode(header), (file) => new VnodeIndex(file, "small").checkStamp())
  check(largeIndexInode(header), (file) => new VnodeIndex(file, "large").checkStamp())
  check(linkTableInode(header), (file) => new LinkTable(file).checkStamp())
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

const isShortage = (error: unknown): boolean => isDiskError(error, "EMFILE", "ENFILE", "ENOMEM")

function outcomeOf(error: unknown): AttachOutcome {
  if (isAfsError(error, "LOCKED") || (isDiskError(error) && isShortage(error))) return { kind: "busy", error }
  if (error instanceof Damage) return { kind: "damaged", reason: "ERROR", error }
  if (isAfsError(error, "VNOVOL") || error instanceof FormatError || isDiskError(error))
    return { kind: "missing", error }
  throw error
}
