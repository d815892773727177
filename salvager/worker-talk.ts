/** What a salvage worker says on its standard output (`--json`), and its last words on standard error. */
import type { ChildProcess } from "node:child_process"
import { createInterface } from "node:readline"
import type { Logger } from "../common/log.ts"
import type { JobOutcome, JobProgress } from "./job-view.ts"

const lastWordsMax = 20

/** Follows a worker as long as it runs. */
export class WorkerTalk {
  progress: JobProgress | undefined
  outcome: JobOutcome | undefined
  /** Code of the error that ended it, where it has one. */
  errorCode: string | undefined
  readonly #lastWords: string[] = []
  readonly #log: Logger
  readonly #now: () => number
  readonly #changed: () => void

  constructor(worker: ChildProcess, log: Logger, now: () => number, changed: () => void) {
    this.#log = log
    this.#now = now
    this.#changed = changed
    if (worker.stdout !== null) createInterface(worker.stdout).on("line", (line) => this.#take(line))
    if (worker.stderr !== null) createInterface(worker.stderr).on("line", (line) => this.#note(line))
  }

  /** The last line that it wrote to its standard error. */
  get lastWords(): string | undefined {
    return this.#lastWords.at(-1)
  }

  #note(line: string): void {
    const said = parsed(line)
    if (said["type"] === "error") this.#noteCode(said["code"])
    this.#lastWords.push(line)
    if (this.#lastWords.length > lastWordsMax) this.#lastWords.shift()
    this.#log.warn({ line }, "worker")
  }

  #take(line: string): void {
    const said = parsed(line)
    if (said["type"] === "phase") this.#advance(said)
    else this.#log.debug({ line }, "worker")
    if (said["type"] === "group") {
      const { status, counts, files, error } = said
      if (typeof error === "object" && error !== null && "code" in error) this.#noteCode(error.code)
      this.outcome = { status: String(status), counts: numbersIn(counts), files: Number(files) || 0 }
    }
    this.#changed()
  }

  #noteCode(code: unknown): void {
    if (typeof code === "string") this.errorCode = code
  }

  #advance(said: Readonly<Record<string, unknown>>): void {
    const phase = String(said["phase"])
    const since = this.progress?.phase === phase ? this.progress.since : this.#now()
    this.progress = { phase, done: Number(said["done"]) || 0, total: Number(said["total"]) || 0, since }
  }
}

function parsed(line: string): Readonly<Record<string, unknown>> {
  try {
    const value: unknown = JSON.parse(line)
    return typeof value === "object" && value !== null ? { ...value } : {}
  } catch {
    return {}
  }
}

function numbersIn(value: unknown): Record<string, number> {
  if (typeof value !== "object" || value === null) return {}
  return Object.fromEntries(Object.entries(value).map(([name, count]) => [name, Number(count) || 0]))
}
