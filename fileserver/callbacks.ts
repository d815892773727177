/**
 * Callback promises: what clients were promised to be told. There are no clients yet, so there is nobody to tell; breaks
 * are counted, and logged for those who watch what volume operations ask for.
 */
import type { CallbackBreaker, PackageLog } from "../common/volume/package-context.ts"

export class CallbackTable implements CallbackBreaker {
  readonly #log: PackageLog
  #breaks = 0

  constructor(log: PackageLog) {
    this.#log = log
  }

  /** How often callbacks were broken on any volume. */
  get breaks(): number {
    return this.#breaks
  }

  breakVolume(id: number): void {
    this.#breaks++
    this.#log.debug({ volume: id }, "callbacks broken")
  }
}
