/** A progress bar on standard error, only where that is a terminal: the one file that knows cli-progress. */
import { createRequire } from "node:module"
import type * as progressPackage from "cli-progress"

/** What a bar shows. */
interface Shown {
  readonly unit: string
  readonly done: number
  /** Undefined if it cannot be known: then there is a counter and no bar. */
  readonly total: number | undefined
}

/** Takes reports until it is stopped. */
export interface ProgressBar extends Disposable {
  report(shown: Shown): void
  stop(): void
}

const bytesUnits = ["B", "KiB", "MiB", "GiB", "TiB"]

/** `12.3 MiB` */
function shownBytes(bytes: number): string {
  let rest = bytes
  let unit = 0
  while (rest >= 1024 && unit < bytesUnits.length - 1) {
    rest /= 1024
    unit++
  }
  return `${unit === 0 ? rest : rest.toFixed(1)} ${bytesUnits[unit]}`
}

const shownAmount = ({ unit }: Shown, amount: number): string =>
  unit === "bytes" ? shownBytes(amount) : `${amount} ${unit}`

/** True if a bar would be seen. */
export function isWatched(): boolean {
  return process.stderr.isTTY === true
}

/** A bar with a title; undefined where nobody would see it. */
export function openProgressBar(title: string): ProgressBar | undefined {
  if (!isWatched()) return undefined
  const { SingleBar } = loadProgress()
  const bar = new SingleBar({
    format: `${title} [{bar}] {percentage}% {amount}`,
    barsize: 30,
    hideCursor: true,
    clearOnComplete: true,
    stream: process.stderr,
    linewrap: false,
  })
  return new TerminalBar(title, bar)
}

/** A CommonJS package that most commands never need: loaded when a bar is opened. */
function loadProgress(): typeof progressPackage {
  return createRequire(import.meta.url)("cli-progress") as typeof progressPackage
}

class TerminalBar implements ProgressBar {
  readonly #title: string
  readonly #bar: progressPackage.SingleBar
  #started = false
  #counted = false

  constructor(title: string, bar: progressPackage.SingleBar) {
    this.#title = title
    this.#bar = bar
  }

  report(shown: Shown): void {
    if (shown.total === undefined) {
      process.stderr.write(`\r${this.#title} ${shownAmount(shown, shown.done)}\x1b[K`)
      this.#counted = true
      return
    }
    const amount = `${shownAmount(shown, shown.done)} of ${shownAmount(shown, shown.total)}`
    if (!this.#started) this.#bar.start(shown.total, 0, { amount })
    this.#started = true
    this.#bar.update(Math.min(shown.done, shown.total), { amount })
    this.#bar.render()
  }

  stop(): void {
    if (this.#started) this.#bar.stop()
    if (this.#counted) process.stderr.write("\r\x1b[K")
    this.#started = false
    this.#counted = false
  }

  [Symbol.dispose](): void {
    this.stop()
  }
}
