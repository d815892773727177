/**
 * Taking one volume, for any program of a server: check out over FSSYNC, lock its byte, verify that the checkout still
 * stands, and give it back in the reverse order. Locks never wait, so neither does this.
 *
 *     NEEDVOLUME mode (salvagers: OFF, reason SALVAGE)
 *     lock, type by the read-only column of the table (lock-type.ts); the volume turns out read-write and the other column
 *       differs: unlock, lock with that
 *     QUERY_VOP: not ours any more (the fileserver restarted): unlock, and from the top
 *     …
 *     unlock, then ON, LEAVE_OFF, DONE or FORCE_ERROR
 *
 * OpenAFS vol/volume.c (attach_volume_header), vol/vol-salvage.c (AskOffline).
 */
import { isDiskError } from "../common/disk/disk.ts"
import { AfsError, FormatError } from "../common/error.ts"
import { volumeLockHolders } from "../common/lock/lock-holder.ts"
import { type VolumeAccess, volumeLockType } from "../common/lock/lock-type.ts"
import { programOf } from "../common/lock/process-name.ts"
import { lockVolume, type VolumeLock } from "../common/lock/volume-lock.ts"
import { InodeStore } from "../common/partition/inode-store.ts"
import type { Partition } from "../common/partition/partition.ts"
import {
  type AttachMode,
  attachModes,
  type ProgramType,
  programTypeName,
  programTypes,
  volumeTypes,
} from "../common/protocol/codes.ts"
import { requireHeader } from "../common/volume/volume.ts"
import { infoInode } from "../common/volume/volume-header.ts"
import { readVolumeInfo } from "../common/volume/volume-info.ts"
import { reasonName, requireOk } from "./answer-meaning.ts"
import type { FssyncClient } from "./fssync-client.ts"
import { fssyncCommands, fssyncReasons, nameIn, responses } from "./message.ts"
import { type CheckoutClaim, verifyCheckout } from "./verify-checkout.ts"

/** What happens on the way to a volume, for whoever shows it. */
export type OperationEvent =
  /** The fileserver forgot the checkout (it restarted); round `round` begins. */
  | { readonly type: "checkedOutAgain"; readonly volume: number; readonly round: number }
  /** The volume is being salvaged; it is tried again after `waitMs`, for the `attempt`th time of `attemptsMax`. */
  | {
      readonly type: "salvaging"
      readonly volume: number
      readonly attempt: number
      readonly attemptsMax: number
      readonly waitMs: number
      readonly why: string
    }
  /** A volume that is only to be looked at lies where no lock can be taken: somebody may change it meanwhile. */
  | { readonly type: "notLocked"; readonly volume: number; readonly why: string }
  /** The work is done, but the fileserver could not be told: it finds out at its next start. */
  | { readonly type: "notCheckedIn"; readonly volume: number; readonly why: string }
  /** A change of contents that an earlier operation did not finish was finished, or undone. */
  | { readonly type: "draft"; readonly volume: number; readonly outcome: "finished" | "discarded" }

/** Who takes volumes. */
export interface Claimant {
  readonly program: ProgramType
  /** Undefined: working without a fileserver. */
  readonly fileserver: FssyncClient | undefined
  readonly report?: ((event: OperationEvent) => void) | undefined
  /**
   * Keeps a volume for this claimant among those of one volserver, until the function that it gives is called.
   * @throws AfsError VOLSERVOLBUSY
   */
  readonly reserve?: ((partition: Partition, volume: number) => Promise<() => void>) | undefined
}

/** How a volume is given back. `nothing`: nobody is told. */
export type CheckIn = "on" | "leaveOff" | "done" | "salvage" | "nothing"

const roundsMax = { volserver: 11, salvager: 10 } as const

function isSalvager(program: ProgramType): boolean {
  return program === "salvager" || program === "salvageServer" || program === "volumeSalvager"
}

/** A volume that is checked out and locked. */
export class VolumeCheckout {
  readonly claimant: Claimant
  readonly partition: Partition
  readonly volume: number
  /** Undefined for salvagers. */
  readonly mode: AttachMode | undefined
  #lock: VolumeLock | undefined
  #over = false
  #giveUpReservation: () => void = () => undefined

  constructor(claimant: Claimant, partition: Partition, volume: number, mode: AttachMode | undefined) {
    this.claimant = claimant
    this.partition = partition
    this.volume = volume
    this.mode = mode
  }

  /** Type of the held lock; undefined if none is. */
  get lockType(): "read" | "write" | undefined {
    return this.#lock?.type
  }

  /**
   * Locks the volume as its type demands, found by reading it under the first lock.
   * @throws AfsError LOCKED with the holder; VNOVOL; FormatError or DiskError for a volume whose type cannot be read
   */
  lock(): void {
    const first = this.#typeFor("readonly")
    this.#take(first)
    const other = this.#typeFor("readwrite")
    if (first === other) return
    if (accessOf(this.partition, this.volume) === "readonly") return
    this.unlock()
    this.#take(other)
    if (accessOf(this.partition, this.volume) === "readwrite") return
    throw new AfsError("VBUSY", "lock", this.#subject(), { detail: "its type changed between two looks" })
  }

  /** @throws AfsError VOLSERVOLBUSY if another operation of this volserver has the volume */
  async reserve(): Promise<void> {
    const give = await this.claimant.reserve?.(this.partition, this.volume)
    if (give !== undefined) this.#giveUpReservation = give
  }

  /** Locks a volume that is to be made. @throws AfsError LOCKED with the holder */
  lockForCreation(): void {
    this.#take("write")
  }

  unlock(): void {
    this.#lock?.release()
    this.#lock = undefined
  }

  /** True if the checkout stands; false if it has to be made again. @throws AfsError DENIED if that cannot be told */
  async verify(): Promise<boolean> {
    const { fileserver } = this.claimant
    if (fileserver === undefined || !this.#isAsked()) return true
    const answer = await fileserver.queryVolumeOperation(this.volume, this.partition.name)
    const verdict = verifyCheckout(this.#claim(), answer)
    if (verdict !== "error") return verdict === "verified"
    const said = `${nameIn(responses, answer.response)} ${reasonName(answer.reason)}`
    throw new AfsError("DENIED", "verifyCheckout", this.#subject(), { detail: `the fileserver answers ${said}` })
  }

  /** Asks for the volume. @throws AfsError by the refusal: VSALVAGING, VBUSY (another program has it), DENIED */
  async claim(): Promise<void> {
    const { fileserver } = this.claimant
    if (fileserver === undefined || !this.#isAsked()) return
    const { volume, partition, mode } = this
    const answer =
      mode === undefined
        ? await fileserver.volumeOff(volume, partition.name, fssyncReasons.SALVAGE)
        : await fileserver.needVolume(volume, partition.name, mode)
    const holder = answer.reason === fssyncReasons.EXCLUSIVE ? await this.#holder(fileserver) : undefined
    requireOk(answer, "checkOut", { ...this.#subject(), holder })
  }

  /** Who has it checked out, for an error's text. */
  async #holder(fileserver: FssyncClient): Promise<string | undefined> {
    const { payload } = await fileserver.queryVolumeOperation(this.volume, this.partition.name)
    return payload && `${programTypeName(payload.request.programType)} (pid ${payload.request.pid})`
  }

  /**
   * Unlocks, then tells the fileserver. A second call does nothing. A fileserver that cannot be told any more is reported,
   * not an error: what was done to the volume is done.
   */
  async end(how: CheckIn): Promise<void> {
    if (this.#over) return
    this.#over = true
    this.unlock()
    const { fileserver, report } = this.claimant
    try {
      if (fileserver !== undefined && how !== "nothing" && this.mode !== "PEEK") await this.#tell(fileserver, how)
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error)
      report?.({ type: "notCheckedIn", volume: this.volume, why })
    } finally {
      this.#giveUpReservation()
    }
  }

  /** Answers are not looked at: a fileserver that never knew the volume refuses LEAVE_OFF and DONE, and all is well. */
  async #tell(fileserver: FssyncClient, how: Exclude<CheckIn, "nothing">): Promise<void> {
    const { volume, partition } = this
    switch (how) {
      case "on":
        requireOk(await fileserver.volumeOn(volume, partition.name), "checkIn", this.#subject())
        return
      case "leaveOff":
        await fileserver.leaveOff(volume, partition.name)
        return
      case "done":
        await fileserver.done(volume, partition.name)
        return
      case "salvage":
        await fileserver.forceError(volume, partition.name, fssyncReasons.SALVAGE)
    }
  }

  #isAsked(): boolean {
    return this.mode !== "SECRETLY" && this.mode !== "PEEK"
  }

  #claim(): CheckoutClaim {
    const programType = programTypes[this.claimant.program]
    if (this.mode === undefined) {
      return { programType, pid: process.pid, command: fssyncCommands.VOL_OFF, reason: fssyncReasons.SALVAGE }
    }
    return { programType, pid: process.pid, command: fssyncCommands.VOL_NEEDVOLUME, reason: attachModes[this.mode] }
  }

  #typeFor(access: VolumeAccess): "read" | "write" | "none" {
    return volumeLockType(this.claimant.program, this.mode, access)
  }

  #take(type: "read" | "write" | "none"): void {
    if (type === "none") return
    this.#lock = lockVolume(this.partition, this.volume, type)
  }

  #subject(): { volume: number; partition: string } {
    return { volume: this.volume, partition: this.partition.name }
  }
}

/** The column of the lock table for a volume, read from its VolumeInfo. */
function accessOf(partition: Partition, volume: number): VolumeAccess {
  const header = requireHeader(partition, volume)
  using file = new InodeStore(partition, header.parent).open(infoInode(header), "read")
  return readVolumeInfo(file).type === volumeTypes.RW ? "readwrite" : "readonly"
}

/** Failures of the machine or of this process, which say nothing about the volume. */
const harmlessErrors = ["EMFILE", "ENFILE", "ENOMEM", "EACCES", "EPERM", "EROFS", "ENOSPC", "EDQUOT", "EINTR"]

/** True for an error that says that a volume is damaged. */
function isDamage(error: unknown): boolean {
  if (error instanceof FormatError) return true
  if (isDiskError(error)) return !harmlessErrors.includes(error.code)
  return error instanceof AfsError && error.code === "VSALVAGE" && !isDiskError(error.cause, ...harmlessErrors)
}

/**
 * Checks out, locks and verifies a volume. `mode` is left out by salvagers.
 * @throws AfsError VNOVOL (no such volume; the fileserver was not asked); VOLSERVOLBUSY, VBUSY, DENIED, LOCKED (someone else
 * has it; the error names them as far as it can); VSALVAGING (also when its type cannot be read: a salvage has then been
 * asked for); VSALVAGE (the same without a fileserver)
 */
export async function checkOutVolume(
  claimant: Claimant,
  partition: Partition,
  volume: number,
  mode?: AttachMode,
): Promise<VolumeCheckout> {
  if (mode !== undefined) {
    requireHeaderFile(partition, volume)
    await refuseWhatAnotherHolds(claimant, partition, volume, mode)
  }
  const limit = isSalvager(claimant.program) ? roundsMax.salvager : roundsMax.volserver
  const checkout = new VolumeCheckout(claimant, partition, volume, mode)
  await checkout.reserve()
  for (let round = 1; round <= limit; round++) {
    if (round > 1) claimant.report?.({ type: "checkedOutAgain", volume, round })
    if (await tryToHold(checkout)) return checkout
  }
  await checkout.end("on")
  const detail = `the fileserver forgot the checkout ${limit} times`
  throw new AfsError("VNOVOL", "checkOut", { volume, partition: partition.name }, { detail })
}

/** Checks out, locks and verifies. A failure gives the volume back, or asks for a salvage if it is damaged. */
async function tryToHold(checkout: VolumeCheckout): Promise<boolean> {
  try {
    await checkout.claim()
  } catch (error) {
    await checkout.end("nothing") // it was refused
    throw error
  }
  try {
    checkout.lock()
    if (await checkout.verify()) return true
    checkout.unlock()
    return false
  } catch (error) {
    throw await giveBackAfter(error, checkout)
  }
}

/** Ends a checkout that came to nothing; returns the error to throw. */
export async function giveBackAfter(error: unknown, checkout: VolumeCheckout): Promise<unknown> {
  if (!isDamage(error) || isSalvager(checkout.claimant.program)) {
    await checkout.end("on")
    return error
  }
  await checkout.end("salvage")
  return damageError(checkout, error)
}

function damageError(checkout: VolumeCheckout, cause: unknown): AfsError {
  const { volume, partition, claimant } = checkout
  const why = cause instanceof Error ? cause.message : String(cause)
  if (claimant.fileserver !== undefined) {
    return new AfsError("VSALVAGING", "attach", { volume, partition: partition.name }, { cause, detail: why })
  }
  const detail = `${why}; repair it with: dafs salvager --partition ${partition.path} --volumeid ${volume}`
  return new AfsError("VSALVAGE", "attach", { volume, partition: partition.name }, { cause, detail })
}

/** Whether the header can be read is found out under the lock. */
function requireHeaderFile(partition: Partition, volume: number): void {
  try {
    requireHeader(partition, volume)
  } catch (error) {
    if (!(error instanceof FormatError)) throw error
  }
}

/**
 * A second checkout by the same kind of program replaces the first at the fileserver, whoever sends it. OpenAFS has one
 * volserver; here every command is one, so a command looks first: a volume that another process has checked out *and*
 * locked against us is left alone.
 */
async function refuseWhatAnotherHolds(
  claimant: Claimant,
  partition: Partition,
  volume: number,
  mode: AttachMode,
): Promise<void> {
  if (claimant.fileserver === undefined || mode === "SECRETLY" || mode === "PEEK") return
  const answer = await claimant.fileserver.queryVolumeOperation(volume, partition.name)
  const owner = answer.payload?.request
  if (owner === undefined || owner.programType !== programTypes[claimant.program] || owner.pid === process.pid) return
  const ours = volumeLockType(claimant.program, mode, "readonly")
  const held = volumeLockHolders(partition, volume).some(
    ({ pid, type }) => pid === owner.pid && (type === "write" || ours === "write"),
  )
  if (!held) return
  const holder = `pid ${owner.pid} (${programOf(owner.pid) ?? "which has ended"})`
  throw new AfsError("VOLSERVOLBUSY", "checkOut", { volume, partition: partition.name, holder })
}

/**
 * Locks the id of a volume that is to be made. The fileserver is not asked; it is told at the end.
 * @throws AfsError LOCKED with the holder
 */
export async function claimNewVolume(
  claimant: Claimant,
  partition: Partition,
  volume: number,
): Promise<VolumeCheckout> {
  const checkout = new VolumeCheckout(claimant, partition, volume, "SECRETLY")
  await checkout.reserve()
  try {
    checkout.lockForCreation()
    return checkout
  } catch (error) {
    await checkout.end("nothing")
    throw error
  }
}
