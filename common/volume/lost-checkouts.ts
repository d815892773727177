/**
 * Checkouts whose connection ended before they were given back. Each is looked into (does its process live, does anybody
 * hold the volume's lock?) and dropped as soon as nobody can be working on the volume any more; checkout.ts has the rule.
 *
 * The loss this prevents: a volserver killed while it dumps a volume that had only been pre-attached leaves a checkout
 * that OpenAFS 1.8.9 keeps for ever: clients are told "busy", salvagers are refused, until another volserver comes by.
 */
import type { Millis } from "../clock.ts"
import { isDiskError } from "../disk/disk.ts"
import { isAfsError } from "../error.ts"
import { lockVolume } from "../lock/volume-lock.ts"
import type { Partition } from "../partition/partition.ts"
import { decideLostCheckout, type PendingOperation } from "./checkout.ts"
import { factsOf, type PackageContext } from "./package-context.ts"
import type { ServerVolume } from "./server-volume.ts"

/** How processes and locks are looked at. `isLocked` may throw a DiskError. */
export interface CheckoutProbes {
  isAlive(pid: number): boolean
  isLocked(partition: Partition, volume: number): boolean
}

/** The pause between two looks. */
const lookAgainMs = 500

interface Lost {
  readonly volume: ServerVolume
  readonly operation: PendingOperation
  readonly takenOffline: boolean
  readonly since: Millis
  /** It has been logged that nobody can tell whether the volume's lock is held. */
  isReported: boolean
}

/** Looks after lost checkouts until each is dropped, given back or replaced. */
export class LostCheckouts {
  readonly #context: PackageContext
  readonly #probes: CheckoutProbes
  readonly #drop: (volume: ServerVolume) => void
  #lost: Lost[] = []
  #cancel: (() => void) | undefined
  #closed = false

  /** `drop` ends a volume's checkout and lets the volume go on. */
  constructor(context: PackageContext, drop: (volume: ServerVolume) => void, probes: CheckoutProbes = systemProbes) {
    this.#context = context
    this.#drop = drop
    this.#probes = probes
  }

  /** Checkouts that are still looked into. */
  get count(): number {
    return this.#lost.length
  }

  /** The connection of this volume's checkout has ended. */
  add(volume: ServerVolume, takenOffline: boolean): void {
    const { operation } = volume
    if (operation === undefined || this.#closed) return
    const lost = { volume, operation, takenOffline, since: this.#context.clock.now(), isReported: false }
    if (!this.#settle(lost)) this.#lost.push(lost)
    this.#lookLater()
  }

  close(): void {
    this.#closed = true
    this.#cancel?.()
    this.#lost = []
  }

  #lookLater(): void {
    if (this.#lost.length === 0 || this.#cancel !== undefined || this.#closed) return
    this.#cancel = this.#context.clock.after(lookAgainMs, () => {
      this.#cancel = undefined
      this.#lost = this.#lost.filter((lost) => !this.#settle(lost))
      this.#lookLater()
    })
  }

  /** True if there is nothing left to look into. */
  #settle(lost: Lost): boolean {
    const { volume, operation, takenOffline, since } = lost
    if (volume.operation !== operation) return true
    // Somebody works on the volume in this process: its state will tell.
    if (volume.cell.isExclusive) return false
    const verdict = decideLostCheckout({
      takenOffline,
      processLives: this.#probes.isAlive(operation.request.pid),
      lockHeld: this.#isLocked(lost),
      lostForMs: this.#context.clock.now() - since,
    })
    if (verdict === "askAgain") return false
    const { programType, pid } = operation.request
    this.#context.log.warn({ ...factsOf(volume), programType, pid }, "checkout dropped: its program is gone")
    this.#drop(volume)
    return true
  }

  /** A lock that cannot be asked for, because the partition has gone or cannot be written, counts as held. */
  #isLocked(lost: Lost): boolean {
    const { volume } = lost
    try {
      return this.#probes.isLocked(volume.partition, volume.id)
    } catch (error) {
      if (!isDiskError(error)) throw error
      if (!lost.isReported) {
        this.#context.log.error({ ...factsOf(volume), err: error }, "cannot tell whether the volume's lock is held")
      }
      lost.isReported = true
      return true
    }
  }
}

/** True while there is a process with this id; a process of another user counts. */
export function isProcessAlive(pid: number): boolean {
  if (!Number.isInteger(pid) || pid <= 0 || pid > 0x7fff_ffff) return false
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return error instanceof Error && "code" in error && error.code === "EPERM"
  }
}

/** Asking is the only sure way to learn whether a lock is held: it is taken for a moment, if it can be. */
function isVolumeLocked(partition: Partition, volume: number): boolean {
  try {
    lockVolume(partition, volume, "write", "look after a lost checkout").release()
    return false
  } catch (error) {
    if (isAfsError(error, "LOCKED")) return true
    throw error
  }
}

export const systemProbes: CheckoutProbes = { isAlive: isProcessAlive, isLocked: isVolumeLocked }
