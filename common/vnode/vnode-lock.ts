/**
 * The lock of one vnode, for work that spans turns of the event loop: many may read, one may write. First come, first
 * served, so that a writer is not kept waiting by readers that follow it. What runs to its end in one turn needs no lock;
 * it only looks whether somebody has it (`isHeld`, `isWritten`).
 */
import type { AfsError } from "../error.ts"

/** What is held, until it is disposed of. A second disposal does nothing. */
export type VnodeLockHold = Disposable

interface Waiter {
  readonly writes: boolean
  grant(hold: VnodeLockHold): void
  refuse(error: AfsError): void
}

class Hold implements VnodeLockHold {
  #release: (() => void) | undefined

  constructor(release: () => void) {
    this.#release = release
  }

  [Symbol.dispose](): void {
    const release = this.#release
    this.#release = undefined
    release?.()
  }
}

export class VnodeLock {
  #readers = 0
  #written = false
  #waiters: Waiter[] | undefined

  /** Somebody reads or writes over several turns, or waits to. */
  get isHeld(): boolean {
    return this.#readers > 0 || this.isWritten
  }

  /** Who read at the moment. */
  get readers(): number {
    return this.#readers
  }

  /** Somebody writes over several turns, or waits to: a reader has to wait. */
  get isWritten(): boolean {
    return this.#written || this.#waiters !== undefined
  }

  /** The lock for reading, unless somebody writes or waits. */
  tryRead(): VnodeLockHold | undefined {
    return this.isWritten ? undefined : this.#grantRead()
  }

  /** The lock for writing, unless somebody has it or waits. */
  tryWrite(): VnodeLockHold | undefined {
    return this.isHeld ? undefined : this.#grantWrite()
  }

  /** @throws AfsError (rejects) with what `refuseWaiters` was given */
  read(): Promise<VnodeLockHold> {
    const hold = this.tryRead()
    return hold === undefined ? this.#wait(false) : Promise.resolve(hold)
  }

  /** @throws AfsError (rejects) with what `refuseWaiters` was given */
  write(): Promise<VnodeLockHold> {
    const hold = this.tryWrite()
    return hold === undefined ? this.#wait(true) : Promise.resolve(hold)
  }

  /** The volume goes offline, or the vnode is gone: nobody shall wait for it any more. Who has the lock keeps it. */
  refuseWaiters(error: AfsError): void {
    const waiters = this.#waiters
    this.#waiters = undefined
    for (const waiter of waiters ?? []) waiter.refuse(error)
  }

  #wait(writes: boolean): Promise<VnodeLockHold> {
    return new Promise((grant, refuse) => {
      this.#waiters ??= []
      this.#waiters.push({ writes, grant, refuse })
    })
  }

  #grantRead(): VnodeLockHold {
    this.#readers++
    return new Hold(() => {
      this.#readers--
      this.#next()
    })
  }

  #grantWrite(): VnodeLockHold {
    this.#written = true
    return new Hold(() => {
      this.#written = false
      this.#next()
    })
  }

  #next(): void {
    while (this.#waiters !== undefined) {
      const waiter = this.#waiters[0]
      if (waiter === undefined || this.#written || (waiter.writes && this.#readers > 0)) return
      this.#waiters.shift()
      if (this.#waiters.length === 0) this.#waiters = undefined
      waiter.grant(waiter.writes ? this.#grantWrite() : this.#grantRead())
    }
  }
}
