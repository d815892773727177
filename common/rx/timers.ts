/**
 * Timers as named slots of their owners, in one heap. Setting a slot later and clearing it cost nothing: an owner stands
 * in the heap at most once, at a time that may be too early, and is moved when that time comes.
 */
import type { Millis } from "../clock.ts"

const never = Number.POSITIVE_INFINITY

/** The four slots of one owner; the owner gives them names. `expire` may set and clear any slot of anybody. */
export class TimerSlots {
  /** When each slot is due; Infinity if it is not set. Every call makes one of these: a literal is the fastest of arrays. */
  readonly due: number[] = [never, never, never, never]
  readonly expire: (slot: number, now: Millis) => void
  /** Where it stands in the heap, −1 if it does not, and for what time. */
  place = -1
  key = never

  constructor(expire: (slot: number, now: Millis) => void) {
    this.expire = expire
  }

  isSet(slot: number): boolean {
    return (this.due[slot] ?? never) !== never
  }

  clearAll(): void {
    for (let slot = 0; slot < this.due.length; slot++) this.due[slot] = never
  }

  /** The earliest slot's time. */
  earliest(): Millis {
    let least = never
    for (const at of this.due) if (at < least) least = at
    return least
  }
}

/** All timers of an endpoint. */
export class Timers {
  readonly #heap: TimerSlots[] = []
  readonly #onEarlier: () => void
  /** The time that is being worked off: nothing can be set for before it, so that `run` comes to an end. */
  #floor = Number.NEGATIVE_INFINITY

  /** `onEarlier` is called when the next timeout has come nearer. */
  constructor(onEarlier: () => void = () => undefined) {
    this.#onEarlier = onEarlier
  }

  /** Owners in the heap. */
  get size(): number {
    return this.#heap.length
  }

  set(slots: TimerSlots, slot: number, at: Millis): void {
    const time = at > this.#floor ? at : this.#floor + 1
    slots.due[slot] = time
    if (time >= slots.key) return
    slots.key = time
    if (slots.place < 0) slots.place = this.#heap.push(slots) - 1
    this.#up(slots)
    if (slots.place === 0) this.#onEarlier()
  }

  clear(slots: TimerSlots, slot: number): void {
    slots.due[slot] = never
  }

  /** Clears all slots and lets the owner go. */
  drop(slots: TimerSlots): void {
    slots.clearAll()
    this.#takeOut(slots)
  }

  /** When `run` is needed next; undefined if nothing is set. */
  next(): Millis | undefined {
    for (let first = this.#heap[0]; first !== undefined; first = this.#heap[0]) {
      const earliest = first.earliest()
      if (earliest <= first.key) return first.key
      this.#later(first, earliest)
    }
    return undefined
  }

  /** Runs everything due at `now`, each slot once at most for each time it was set. */
  run(now: Millis): void {
    this.#floor = now
    for (let first = this.#heap[0]; first !== undefined && first.key <= now; first = this.#heap[0]) {
      const earliest = first.earliest()
      if (earliest > now) this.#later(first, earliest)
      else this.#runSlots(first, now)
    }
    this.#floor = Number.NEGATIVE_INFINITY
  }

  #runSlots(slots: TimerSlots, now: Millis): void {
    for (let slot = 0; slot < slots.due.length; slot++) {
      if ((slots.due[slot] ?? never) > now) continue
      slots.due[slot] = never
      slots.expire(slot, now)
    }
  }

  #later(slots: TimerSlots, earliest: Millis): void {
    if (earliest === never) return this.#takeOut(slots)
    slots.key = earliest
    this.#down(slots)
  }

  #takeOut(slots: TimerSlots): void {
    const { place } = slots
    slots.place = -1
    slots.key = never
    if (place < 0) return
    const last = this.#heap.pop()
    if (last === undefined || last === slots) return
    this.#put(last, place)
    this.#up(last)
    this.#down(last)
  }

  #put(slots: TimerSlots, place: number): void {
    this.#heap[place] = slots
    slots.place = place
  }

  #up(slots: TimerSlots): void {
    let { place } = slots
    while (place > 0) {
      const above = (place - 1) >> 1
      const parent = this.#heap[above]
      if (parent === undefined || parent.key <= slots.key) break
      this.#put(parent, place)
      place = above
    }
    this.#put(slots, place)
  }

  #down(slots: TimerSlots): void {
    let { place } = slots
    for (;;) {
      const left = this.#heap[2 * place + 1]
      const right = this.#heap[2 * place + 2]
      const least = right !== undefined && left !== undefined && right.key < left.key ? right : left
      if (least === undefined || least.key >= slots.key) break
      const below = least.place
      this.#put(least, place)
      place = below
    }
    this.#put(slots, place)
  }
}
