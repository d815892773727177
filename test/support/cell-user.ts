/**
 * A user of a cell at work through the FUSE client: writes one line after the other into files of their own in root.cell, and
 * tries again where that fails. What was acknowledged has to be there in the end, and what failed has to be the fault of a
 * fileserver that was away.
 */
import { readFileSync } from "node:fs"
import { join } from "node:path"
import type { ExecutionContext } from "ava"
import { shell, until } from "./cast.ts"
import type { Cell } from "./cell.ts"

const folder = "/afs/.test.cell/lines"
const program = `
mkdir -p ${folder}
for ((n = 1; ; n++)); do
  until { echo "line $n" >${folder}/$n; } 2>/dev/null; do echo "failed $n $EPOCHREALTIME" >>"$1"; sleep 0.1; done
  echo "done $n $EPOCHREALTIME" >>"$1"
  sleep 0.05
done`

/** One try of the user's. */
interface Try {
  readonly isDone: boolean
  readonly line: string
  /** Milliseconds since 1970. */
  readonly at: number
}

const triesIn = (text: string): Try[] =>
  text
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => {
      const [outcome, number = "", seconds] = line.split(" ")
      return { isDone: outcome === "done", line: number, at: Number(seconds) * 1000 }
    })

export class CellUser {
  readonly #cell: Cell
  readonly #log: string
  readonly #absences: { readonly from: number; to: number }[] = []

  private constructor(cell: Cell) {
    this.#cell = cell
    this.#log = join(cell.directory, "tries")
  }

  /** Mounts /afs and sets to work. */
  static async start(cell: Cell): Promise<CellUser> {
    const user = new CellUser(cell)
    await cell.start("fuse")
    await until(cell, "timeout 5 ls /afs/.test.cell >/dev/null 2>&1")
    await cell.run("user", "bash", "-c", program, "user", user.#log)
    return user
  }

  /** The user has to expect errors while this lasts: the fileserver is away. */
  async whileAway(work: () => Promise<void>): Promise<void> {
    const absence = { from: Date.now(), to: Number.POSITIVE_INFINITY }
    this.#absences.push(absence)
    await work()
    absence.to = Date.now()
  }

  /** Waits for a line that is written from now on. */
  async untilServed(): Promise<void> {
    const served = triesIn(readFileSync(this.#log, "utf8")).filter(({ isDone }) => isDone).length
    await until(this.#cell, `[ $(grep -c ^done ${this.#log}) -gt ${served + 1} ]`)
  }

  /** Every line that was acknowledged is there; every failure was while the fileserver was away, or before the next success. */
  async requireUndisturbed(t: ExecutionContext): Promise<void> {
    await this.#cell.stop("user")
    const tries = triesIn(readFileSync(this.#log, "utf8"))
    const done = tries.filter(({ isDone }) => isDone)
    t.true(done.length > 20, "the user was at work")
    const untimely = tries.filter(({ isDone, at }) => !isDone && !this.#isExcused(at, done))
    t.deepEqual(untimely, [], "no error while the fileserver was there")
    await until(this.#cell, `timeout 5 ls ${folder} >/dev/null 2>&1`)
    const numbers = done.map(({ line }) => line).join(" ")
    const lost = await shell(
      this.#cell,
      `for n in ${numbers}; do [ "$(timeout 20 cat ${folder}/$n)" = "line $n" ] || echo "lost $n"; done`,
    )
    t.is(lost, "")
  }

  /** A client that was told nothing finds out by its next try that the fileserver is back. */
  #isExcused(at: number, done: readonly Try[]): boolean {
    return this.#absences.some(({ from, to }) => {
      const success = done.find((one) => one.at > to)?.at ?? Number.POSITIVE_INFINITY
      return at >= from && at <= success
    })
  }
}
