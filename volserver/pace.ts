/**
 * The pace of long work: volume operations use plain synchronous file calls, which is fastest, and give the event loop a
 * turn every few milliseconds, so that a signal, a progress bar or a daemon's request gets through.
 */
import { performance } from "node:perf_hooks"
import { setImmediate as nextTurn } from "node:timers/promises"
import { AfsError } from "../common/error.ts"

/** How far an operation is. */
export interface Progress {
  /** What is counted. */
  readonly unit: "bytes" | "vnodes"
  readonly done: number
  /** Undefined if it cannot be known. */
  readonly total: number | undefined
}

const turnEveryMs = 40

export class Pace {
  readonly #signal: AbortSignal | undefined
  readonly #report: ((progress: Progress) => void) | undefined
  #lastTurn = performance.now()

  constructor(options: { signal?: AbortSignal | undefined; report?: ((progress: Progress) => void) | undefined } = {}) {
    this.#signal = options.signal
    this.#report = options.report
  }

  get signal(): AbortSignal | undefined {
    return this.#signal
  }

  /** Somebody looks at the progress: totals are worth finding out. */
  get isWatched(): boolean {
    return this.#report !== undefined
  }

  /** The same pace without reports and signal: for taking back what an interrupted operation has done. */
  undisturbed(): Pace {
    return new Pace()
  }

  /**
   * To be called between pieces of work and awaited if it gives a promise.
   * @throws AfsError INTERRUPTED (by the promise) once the signal is raised
   */
  step(progress: Progress): Promise<void> | undefined {
    const now = performance.now()
    if (now - this.#lastTurn < turnEveryMs) return undefined
    this.#lastTurn = now
    this.#report?.(progress)
    return this.#turn()
  }

  async #turn(): Promise<void> {
    await nextTurn()
    this.throwIfInterrupted()
    this.#lastTurn = performance.now()
  }

  /** @throws AfsError INTERRUPTED once the signal is raised */
  throwIfInterrupted(): void {
    if (this.#signal?.aborted === true) throw new AfsError("INTERRUPTED", "volumeOperation")
  }
}
