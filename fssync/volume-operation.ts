/**
 * The life of an operation on one volume: check out, lock, verify (volume-checkout.ts), attach, work, write inUse back,
 * unlock, check in.
 *
 * `inUse` on disk is the mark that a crash leaves: written at once where the volume is taken exclusively, and taken back
 * before the lock is released. OpenAFS vol/volume.c (attach2, VDetachVolume_r).
 */
import { setTimeout as delay } from "node:timers/promises"
import { AfsError, isAfsError } from "../common/error.ts"
import { InodeStore } from "../common/partition/inode-store.ts"
import type { Partition } from "../common/partition/partition.ts"
import { type AttachMode, programTypeName, programTypes, volumeTypes } from "../common/protocol/codes.ts"
import { openVolume, requireHeader, type Volume } from "../common/volume/volume.ts"
import { finishDraft } from "../common/volume/volume-draft.ts"
import { destroyMeMark, type VolumeInfo } from "../common/volume/volume-info.ts"
import type { Committed, SyncPolicy, VolumeTransaction } from "../common/volume/volume-transaction.ts"
import { type Claimant, checkOutVolume, giveBackAfter, type VolumeCheckout } from "./volume-checkout.ts"

/** How a volume that is being salvaged is waited for. */
export interface SalvagePatience {
  readonly waitMs: number
  readonly attemptsMax: number
  readonly signal?: AbortSignal | undefined
}

/** As OpenAFS's volserver: every 3 seconds, 32 times. */
const salvagePatience: SalvagePatience = { waitMs: 3_000, attemptsMax: 32 }

/** A volume attached for an operation. */
export class VolumeOperation {
  readonly checkout: VolumeCheckout
  #volume: Volume
  /** VolumeInfo as it is on disk, as far as is known: what changes in core may never get there. */
  #written: VolumeInfo
  #isDeleted = false
  #isSwitched = false
  #needsSalvage = false

  constructor(checkout: VolumeCheckout, volume: Volume) {
    this.checkout = checkout
    this.#volume = volume
    this.#written = { ...volume.info }
  }

  /** The open volume; another object after `reopen`. */
  get volume(): Volume {
    return this.#volume
  }

  /** Commits a transaction. If it breaks off half-way the volume is marked for a salvage when the operation ends. */
  apply(transaction: VolumeTransaction): Committed {
    try {
      const committed = transaction.commit()
      this.#written = { ...this.#volume.info }
      return committed
    } catch (error) {
      if (transaction.begun) this.#needsSalvage = true
      throw error
    }
  }

  /** Writes VolumeInfo as it is in core. If that fails the volume is marked for a salvage when the operation ends. */
  writeInfo(sync: SyncPolicy = "none"): void {
    try {
      this.#volume.writeInfo(sync)
      this.#written = { ...this.#volume.info }
    } catch (error) {
      this.#needsSalvage = true
      throw error
    }
  }

  /** Something that was taken could not be given back: a salvage has to. */
  markForSalvage(): void {
    this.#needsSalvage = true
  }

  /** True if a change broke off half-way: the volume needs a salvage, and what it has must not be taken back by hand. */
  get isBroken(): boolean {
    return this.#needsSalvage
  }

  /** The operation has removed the volume's files; they have been closed. */
  markDeleted(): void {
    this.#isDeleted = true
  }

  /** Opens the volume's files anew, after they were replaced, and gives the files as they were: the caller closes them. */
  reopen(): Volume {
    const before = this.#volume
    this.#isSwitched = true
    this.#volume = openVolume(before.partition, before.id, "write")
    this.#written = { ...this.#volume.info }
    return before
  }

  /** True once the volume's files were replaced: what the new ones name is the volume's. */
  get isSwitched(): boolean {
    return this.#isSwitched
  }

  /** Takes inUse back, closes, unlocks and checks in. @throws DiskError if VolumeInfo cannot be written; a salvage is asked for */
  async end(): Promise<void> {
    if (this.#isDeleted) return this.checkout.end("done")
    try {
      if (this.#needsSalvage) this.#markOnDisk()
      else if (writesInUse(this.checkout.mode, this.#volume)) this.#release()
    } catch (error) {
      this.#volume.close()
      await this.checkout.end("salvage")
      throw error
    }
    this.#volume.close()
    await this.checkout.end(this.#needsSalvage ? "salvage" : checkInOf(this.#volume))
  }

  #release(): void {
    this.#volume.info.inUse = 0
    this.#volume.writeInfo()
  }

  /** inUse stays: it says the same to a server that does not look at the mark. */
  #markOnDisk(): void {
    this.#volume.info = { ...this.#written, needsSalvaged: 1 }
    this.#volume.writeInfo()
  }
}

function checkInOf(volume: Volume): "on" | "leaveOff" {
  const { destroyMe, blessed, inService } = volume.info
  return destroyMe === destroyMeMark || blessed === 0 || inService === 0 ? "leaveOff" : "on"
}

/** Whether the mode says so on disk that the volume is in use. */
function writesInUse(mode: AttachMode | undefined, volume: Volume): boolean {
  return mode === "VOLUPD" || mode === "SECRETLY" || (mode === "CLONE" && volume.info.type === volumeTypes.RW)
}

/**
 * Attaches a volume, waiting for a salvage that is under way or that this attachment asks for.
 * @throws AfsError as checkOutVolume; VSALVAGE if the volume is still being salvaged at the end of the patience
 */
export async function attachVolume(
  claimant: Claimant,
  partition: Partition,
  volume: number,
  mode: AttachMode,
  patience: SalvagePatience = salvagePatience,
): Promise<VolumeOperation> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await attachOnce(claimant, partition, volume, mode)
    } catch (error) {
      if (!isAfsError(error, "VSALVAGING")) throw error
      if (attempt > patience.attemptsMax) {
        throw new AfsError("VSALVAGE", "attach", { volume, partition: partition.name }, { cause: error })
      }
      const { waitMs, attemptsMax } = patience
      claimant.report?.({ type: "salvaging", volume, attempt, attemptsMax, waitMs, why: error.message })
      await pause(patience, volume)
    }
  }
}

async function pause({ waitMs, signal }: SalvagePatience, volume: number): Promise<void> {
  try {
    await delay(waitMs, undefined, { signal })
  } catch {
    throw new AfsError("INTERRUPTED", "attach", { volume }, { detail: "while waiting for a salvage" })
  }
}

async function attachOnce(
  claimant: Claimant,
  partition: Partition,
  volume: number,
  mode: AttachMode,
): Promise<VolumeOperation> {
  const checkout = await checkOutVolume(claimant, partition, volume, mode)
  try {
    return await attachHeld(checkout)
  } catch (error) {
    throw await giveBackAfter(error, checkout)
  }
}

/** Opens a volume that is checked out and locked, and says on disk that it is in use. */
export async function attachHeld(checkout: VolumeCheckout): Promise<VolumeOperation> {
  const { partition, volume: id, mode } = checkout
  if (checkout.lockType === "write") finishLeftDraft(checkout)
  const volume = openVolume(partition, id, mode === "PEEK" || mode === "READONLY" ? "read" : "write")
  try {
    requireSound(checkout, volume)
    beginStatistics(volume)
    await clearNeedsCallback(checkout, volume)
    if (mode !== "SECRETLY" && writesInUse(mode, volume)) {
      volume.info.inUse = programTypes[checkout.claimant.program]
      volume.writeInfo()
    }
    return new VolumeOperation(checkout, volume)
  } catch (error) {
    volume.close()
    throw error
  }
}

function finishLeftDraft(checkout: VolumeCheckout): void {
  const header = requireHeader(checkout.partition, checkout.volume)
  const outcome = finishDraft(new InodeStore(checkout.partition, header.parent), header.id)
  if (outcome !== "none") checkout.claimant.report?.({ type: "draft", volume: checkout.volume, outcome })
}

/** @throws AfsError VSALVAGE if a flag says that the volume must not be used before a salvage */
function requireSound(checkout: VolumeCheckout, volume: Volume): void {
  const { info } = volume
  if (checkout.mode === "PEEK") return
  const subject = { volume: volume.id, partition: volume.partition.name }
  if (info.needsSalvaged !== 0)
    throw new AfsError("VSALVAGE", "attach", subject, { detail: "it is marked for a salvage" })
  const looked = checkout.mode !== "SECRETLY" && checkout.mode !== "READONLY" && info.type === volumeTypes.RW
  if (info.inUse === 0 || !looked) return
  if (checkout.claimant.fileserver !== undefined) {
    info.needsSalvaged = 1
    volume.writeInfo()
  }
  throw new AfsError("VSALVAGE", "attach", subject, { detail: inUseDetail(info.inUse) })
}

function inUseDetail(inUse: number): string {
  const program = programTypeName(inUse)
  return program === "fileServer"
    ? "it is in use by a fileserver: one that is running (name its state directory with --state-dir) or one that crashed"
    : `it was in use by ${program}, which crashed`
}

/** Volumes of old servers have none: whoever attaches first zeroes what is in their place. OpenAFS vol/volume.c. */
function beginStatistics({ info }: Volume): void {
  if (info.statInitialized !== 0) return
  info.statInitialized = 1
  for (const counts of [info.statReads, info.statWrites, info.statFileSameAuthor, info.statFileDiffAuthor])
    counts.fill(0)
  for (const counts of [info.statDirSameAuthor, info.statDirDiffAuthor]) counts.fill(0)
}

async function clearNeedsCallback(checkout: VolumeCheckout, volume: Volume): Promise<void> {
  if (volume.info.needsCallback === 0 || checkout.mode === "PEEK" || checkout.mode === "READONLY") return
  await checkout.claimant.fileserver?.breakCallbacks(volume.id, volume.partition.name)
  volume.info.needsCallback = 0
  volume.writeInfo()
}

/**
 * Runs `work` on an attached volume and ends the operation however the work ends.
 * @throws whatever attachVolume, the work, or the end throw; the work's error goes first
 */
export async function withVolume<T>(
  claimant: Claimant,
  partition: Partition,
  volume: number,
  mode: AttachMode,
  work: (operation: VolumeOperation) => Promise<T> | T,
  patience?: SalvagePatience,
): Promise<T> {
  const operation = await attachVolume(claimant, partition, volume, mode, patience)
  return endAfter(operation, work)
}

/** Runs `work` and ends the operation, whose failure is told only if the work itself succeeded. */
export async function endAfter<T>(
  operation: VolumeOperation,
  work: (operation: VolumeOperation) => Promise<T> | T,
): Promise<T> {
  let result: T
  try {
    result = await work(operation)
  } catch (error) {
    await operation.end().catch(() => undefined) // the first failure is the one to tell
    throw error
  }
  await operation.end()
  return result
}
