/**
 * How many processors have had nothing to do of late: whether work may use another thread. The load average would tell of the
 * last minute, not of now.
 */
import { cpus } from "node:os"
import { performance } from "node:perf_hooks"

/** Milliseconds that all processors together have been idle since the start. */
export type IdleSource = () => number

const idleOfAll: IdleSource = () => cpus().reduce((sum, { times }) => sum + times.idle, 0)

export class IdleProcessors {
  readonly #idle: IdleSource
  readonly #now: () => number
  #begin: number
  #idleAtBegin: number

  constructor(idle: IdleSource = idleOfAll, now: () => number = () => performance.now()) {
    this.#idle = idle
    this.#now = now
    this.#begin = now()
    this.#idleAtBegin = idle()
  }

  /** Mean number since it was asked last, or made. The kernel counts in steps of 10 ms: ask less often than that. */
  mean(): number {
    const [now, idle] = [this.#now(), this.#idle()]
    const mean = now > this.#begin ? (idle - this.#idleAtBegin) / (now - this.#begin) : 0
    this.#begin = now
    this.#idleAtBegin = idle
    return mean
  }
}
