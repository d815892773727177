/**
 * Processor time of a server, all threads: on a machine with other work it tells more than the clock on the wall. What a
 * client costs that shares the processors is not in it.
 */
import { readdirSync, readFileSync } from "node:fs"
import { type Answer, median } from "./measure.ts"

/** Microseconds that the threads of a process have run so far; those that have ended count no more. */
function processorTime(pid: number): number {
  const folder = `/proc/${pid}/task`
  const nanoseconds = readdirSync(folder).map((thread) => {
    try {
      return Number(readFileSync(`${folder}/${thread}/schedstat`, "utf8").split(" ")[0])
    } catch {
      return 0 // it has ended meanwhile
    }
  })
  return nanoseconds.reduce((sum, each) => sum + each, 0) / 1000
}

/** Rounds of work of one server, and what each cost it. */
export class ServerCost {
  readonly #pid: number
  readonly #costs: number[] = []

  constructor(pid: number) {
    this.#pid = pid
  }

  /** Does a round; gives its figure. */
  async round(work: () => Promise<number>): Promise<number> {
    const before = processorTime(this.#pid)
    const figure = await work()
    this.#costs.push(processorTime(this.#pid) - before)
    return figure
  }

  /** Microseconds of each round but the first, which is thrown away, by so many pieces of work. */
  each(pieces: number): number[] {
    return this.#costs.slice(1).map((cost) => cost / pieces)
  }
}

/** A second answer to a question that was asked, of what the servers paid for a piece of work. */
export function costAnswer(asked: Answer, pieces: number, unit: string, ours: ServerCost, peer: ServerCost): Answer {
  const [mine, theirs] = [ours.each(pieces), peer.each(pieces)]
  return {
    ...asked,
    what: `${asked.what}: server's processor time`,
    unit,
    ours: median(mine),
    peer: median(theirs),
    ratio: median(mine.map((cost, index) => cost / (theirs[index] ?? Number.NaN))),
    range: [Math.min(...mine), Math.max(...mine)],
    goal: undefined,
    met: undefined,
  }
}
