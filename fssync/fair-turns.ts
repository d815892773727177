/**
 * Turns for connections that have sent many requests at once, so that none of them keeps a server's event loop: who has
 * had its time waits in line, and in each turn of the event loop the first in line goes on for a while. Connections with a
 * request or two are served between, without waiting.
 */

/** So long one connection's requests are taken in a row: many queries, a few dozen attaches. */
export const turnMs = 5

/** The line of one server. */
export class FairTurns {
  readonly #line: (() => void)[] = []
  readonly #now: () => number
  readonly #atNextTurn: (action: () => void) => unknown

  /** Tests give the time in milliseconds and the turns of the event loop. */
  constructor(now = (): number => performance.now(), atNextTurn: (action: () => void) => unknown = setImmediate) {
    this.#now = now
    this.#atNextTurn = atNextTurn
  }

  /** Until when one that begins now may go on. While others wait in line, only those whose turn it is have time. */
  deadline(isItsTurn: boolean): number {
    return isItsTurn || this.#line.length === 0 ? this.#now() + turnMs : 0
  }

  isOver(deadline: number): boolean {
    return this.#now() >= deadline
  }

  /** Goes to the end of the line; `goOn` is called when it is its turn. */
  wait(goOn: () => void): void {
    this.#line.push(goOn)
    if (this.#line.length === 1) this.#atNextTurn(() => this.#next())
  }

  #next(): void {
    const goOn = this.#line.shift()
    if (this.#line.length > 0) this.#atNextTurn(() => this.#next())
    goOn?.()
  }
}
