/**
 * Whose turn it is at a vnode. An operation that runs to its end in one turn of the event loop needs no lock; it has to wait
 * only where another works on the same vnode over several turns (a store that receives, a fetch that sends). What it waits for
 * may change what it wants to do, so it decides again afterwards.
 *
 * Several locks are taken in ascending order of vnode numbers, and none is held while another machine is waited for.
 */
import { AfsError } from "../common/error.ts"
import type { Vnode } from "../common/vnode/vnode.ts"
import type { VnodeLockHold } from "../common/vnode/vnode-lock.ts"
import type { Eventually } from "../common/volume/handover.ts"
import type { VolumeUse } from "../common/volume/server-volume.ts"
import type { Request } from "./request.ts"

/** What an operation would do now: the vnodes that nobody else may be at, and the deed, which ends in this turn. */
export interface Plan<R> {
  readonly reads?: readonly Vnode[]
  readonly writes?: readonly Vnode[]
  /** A promise that it gives is waited for without any lock. */
  run(): Eventually<R>
}

const none: readonly Vnode[] = []

/** True if nobody else is at the vnodes of a plan; `held` are locked by the asker. Makes no locks: most vnodes never have one. */
function isFree({ reads = none, writes = none }: Plan<unknown>, held?: ReadonlyMap<Vnode, VnodeLockHold>): boolean {
  for (const vnode of writes) if (vnode.isLocked && held?.has(vnode) !== true) return false
  for (const vnode of reads) if (!isReadable(vnode) && held?.has(vnode) !== true) return false
  return true
}

/** Nobody writes to it over several turns, or waits to: it may be looked at in this turn. */
export const isReadable = (vnode: Vnode): boolean => !(vnode.isLocked && vnode.lock.isWritten)

/** Runs a plan as soon as nobody is in its way: mostly at once. `plan` is asked again after each wait. */
export function whenFree<R>(request: Pick<Request, "use">, plan: () => Plan<R>): Eventually<R> {
  const first = plan()
  return isFree(first) ? first.run() : afterOthers(request, plan, first)
}

async function afterOthers<R>(request: Pick<Request, "use">, plan: () => Plan<R>, first: Plan<R>): Promise<R> {
  for (let wanted = first; ; ) {
    const held = new Map<Vnode, VnodeLockHold>()
    try {
      await holdAll(request.use, wanted, held)
      wanted = plan()
      // Not awaited here: the locks go when the deed is done.
      if (isFree(wanted, held)) return wanted.run()
    } finally {
      for (const hold of held.values()) hold[Symbol.dispose]()
    }
  }
}

/** Takes the locks that a plan needs, in the order in which everybody takes them. */
async function holdAll(use: VolumeUse, plan: Plan<unknown>, held: Map<Vnode, VnodeLockHold>): Promise<void> {
  const vnodes = new Set([...(plan.reads ?? none), ...(plan.writes ?? none)])
  const writes = new Set(plan.writes)
  for (const vnode of [...vnodes].sort((a, b) => a.number - b.number))
    held.set(vnode, await holdOne(use, vnode, writes.has(vnode) ? "write" : "read"))
}

/** Waits for a lock, but not when the volume has to go offline. @throws AfsError with the code that the client gets */
function holdOne(use: VolumeUse, vnode: Vnode, kind: "read" | "write"): Promise<VnodeLockHold> {
  const { signal } = use
  return new Promise((resolve, reject) => {
    const refuse = (): void => reject(new AfsError(use.abortCode ?? "VOFFLINE", "wait", { volume: vnode.volume }))
    if (signal.aborted) return refuse()
    signal.addEventListener("abort", refuse, { once: true })
    const wanted = kind === "read" ? vnode.lock.read() : vnode.lock.write()
    wanted.then((hold) => {
      signal.removeEventListener("abort", refuse)
      if (signal.aborted) hold[Symbol.dispose]()
      else resolve(hold)
    }, reject)
  })
}

/** A vnode that is locked. */
export interface HeldVnode {
  readonly vnode: Vnode
  readonly hold: VnodeLockHold
}

/** Locks the vnode that `find` gives; it is asked again after each wait, since the vnode may have changed or gone. */
export function holdVnode(
  request: Pick<Request, "use">,
  find: () => Vnode,
  kind: "read" | "write",
): Eventually<HeldVnode> {
  const vnode = find()
  const hold = kind === "read" ? vnode.lock.tryRead() : vnode.lock.tryWrite()
  return hold === undefined ? holdLater(request, find, kind, vnode) : { vnode, hold }
}

async function holdLater(
  request: Pick<Request, "use">,
  find: () => Vnode,
  kind: "read" | "write",
  first: Vnode,
): Promise<HeldVnode> {
  for (let vnode = first; ; ) {
    const hold = await holdOne(request.use, vnode, kind)
    try {
      const again = find()
      if (again === vnode) return { vnode, hold }
      vnode = again
    } catch (error) {
      hold[Symbol.dispose]()
      throw error
    }
    hold[Symbol.dispose]()
  }
}
