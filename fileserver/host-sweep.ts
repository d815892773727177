/**
 * Looks at all hosts from time to time: those that have promises and have not called for long are asked whether they are there,
 * those that have not called for very long are forgotten. OpenAFS viced/host.c (h_CheckHosts, CheckHost_r).
 */
import type { Millis } from "../common/clock.ts"
import type { CallbackTable } from "./callback-table.ts"
import type { Host } from "./host.ts"
import type { HostReach } from "./host-reach.ts"
import type { HostRegister } from "./host-register.ts"
import type { HostReturn } from "./host-return.ts"

export const sweepTimes = { everyMs: 5 * 60_000, probeAfterMs: 15 * 60_000, forgetAfterMs: 2 * 3_600_000 } as const
/** Hosts that are asked at the same time. */
const lanes = 64

export interface HostSweepOptions {
  readonly register: HostRegister
  readonly reach: HostReach
  readonly returns: HostReturn
  readonly callbacks: CallbackTable
}

type Task = (options: HostSweepOptions) => Promise<void>

/** One round at this time. Never rejects; resolves when all that were asked have answered or not. */
export async function sweepHosts(options: HostSweepOptions, now: Millis): Promise<void> {
  options.callbacks.expire(now)
  const tasks = [...options.register].map((host) => taskFor(host, options, now)).filter((task) => task !== undefined)
  const next = tasks.values()
  await Promise.all(
    Array.from({ length: Math.min(lanes, tasks.length) }, async () => {
      for (const task of next) await task(options)
    }),
  )
}

function taskFor(host: Host, { callbacks }: HostSweepOptions, now: Millis): Task | undefined {
  const idleMs = now - host.lastCall
  if (idleMs > sweepTimes.forgetAfterMs) return ({ returns }) => returns.retire(host)
  const isAsked = idleMs > sweepTimes.probeAfterMs && !host.isDown && callbacks.store.countOfHost(host.index) > 0
  return isAsked ? (options) => probe(host, options) : undefined
}

async function probe(host: Host, { reach }: HostSweepOptions): Promise<void> {
  if (!(await reach.answers(host))) host.isDown = true
}
