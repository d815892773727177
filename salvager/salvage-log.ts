/** The text file that every salvage is added to, in the form of OpenAFS's SalvageLog. */
import { isDiskError } from "../common/disk/disk.ts"
import { type AppendedText, openAppendedText } from "../common/disk/node-disk.ts"
import type { Partition } from "../common/partition/partition.ts"
import { logOpening, type Reporter, reporter, type SalvageSummary } from "./report.ts"
import type { SalvageEvent } from "./salvage.ts"

/** A log that cannot be written is told once, and stops no salvage. */
export class SalvageLog implements Reporter, Disposable {
  #file: AppendedText | undefined
  readonly #reporter: Reporter = reporter("log", { write: (text: string) => this.#write(text) })

  /** Without a path nothing is kept. */
  static open(path: string | undefined, partitions: readonly Partition[], readOnly: boolean): SalvageLog {
    const log = new SalvageLog()
    if (path === undefined) return log
    log.#try(() => {
      log.#file = openAppendedText(path)
    })
    const names = partitions.map(({ name }) => name)
    log.#write(logOpening(process.argv.slice(2), names, readOnly))
    return log
  }

  emit(event: SalvageEvent): void {
    if (this.#file !== undefined) this.#reporter.emit(event)
  }

  end(summary: SalvageSummary): void {
    if (this.#file !== undefined) this.#reporter.end(summary)
  }

  [Symbol.dispose](): void {
    this.#file?.[Symbol.dispose]()
  }

  #write(text: string): void {
    this.#try(() => this.#file?.write(text))
  }

  #try(work: () => void): void {
    try {
      work()
    } catch (error) {
      if (!isDiskError(error)) throw error
      process.stderr.write(`dafs salvager: the log cannot be kept: ${error.message}\n`)
      this.#file = undefined
    }
  }
}
