/**
 * Taking an attached volume out of service: no new users, the present ones finish (or are asked to, after a time), then
 * VolumeInfo is written out of use and what was in core is forgotten. OpenAFS vol/volume.c (VOffline_r, VDetachVolume_r).
 *
 * What is synced: nothing here. While it serves no changes of its own, a fileserver writes only VolumeInfo of an attached
 * volume, and a lost write of "not in use" costs a salvage after a power failure, never data. A clean shutdown does sync
 * (shutdown.ts).
 */
import type { Millis } from "../clock.ts"
import { isDiskError } from "../disk/disk.ts"
import type { Code } from "../protocol/codes.ts"
import { factsOf, type PackageContext } from "./package-context.ts"
import type { ServerVolume } from "./server-volume.ts"
import type { VolumeState } from "./volume-state.ts"

/** What VolumeInfo says about a volume that is offline. Part of the format: a successful attach clears it. */
export const offlineMessages = {
  operation: "A volume utility is running.",
  softDetach: "volume has been soft detached",
  shutdown: "File server was shut down",
} as const
export type OfflineReason = keyof typeof offlineMessages

/** `withdrawn`: something else happened to the volume while it waited. `failed`: VolumeInfo could not be written. */
export type OfflineResult = "offline" | "withdrawn" | "failed"

export interface OfflineOptions {
  readonly reason: OfflineReason
  /** Users are asked to end after this; undefined: never. */
  readonly timeoutMs: Millis | undefined
  /** What they are told. */
  readonly code: Code
}

/** Takes a volume in state ATTACHED to UNATTACHED: at once if nobody uses it. */
export function takeOffline(
  context: PackageContext,
  volume: ServerVolume,
  options: OfflineOptions,
): OfflineResult | Promise<OfflineResult> {
  volume.cell.change("GOING_OFFLINE", context.clock.now())
  if (volume.users === 0) return detach(context, volume, options.reason)
  return drain<OfflineResult>(context, volume, "GOING_OFFLINE", options, (drained) =>
    drained ? detach(context, volume, options.reason) : "withdrawn",
  )
}

/**
 * Waits until nobody uses the volume, asking its users to end after the time limit, and then does `finish` before anything
 * else can happen to the volume. `drained` is false if its state is no longer the given one.
 */
export async function drain<T>(
  context: PackageContext,
  volume: ServerVolume,
  state: "GOING_OFFLINE" | "SALVAGE_REQ",
  { timeoutMs, code }: Pick<OfflineOptions, "timeoutMs" | "code">,
  finish: (drained: boolean) => T,
): Promise<T> {
  const cancel =
    timeoutMs === undefined ? undefined : context.clock.after(timeoutMs, () => interrupt(context, volume, state, code))
  while (isIn(volume, state) && volume.users > 0) await volume.cell.changed()
  cancel?.()
  return finish(isIn(volume, state))
}

/** The state, read anew: it changes while others run. */
function isIn(volume: ServerVolume, state: VolumeState): boolean {
  return volume.state === state
}

function interrupt(
  context: PackageContext,
  volume: ServerVolume,
  state: "GOING_OFFLINE" | "SALVAGE_REQ",
  code: Code,
): void {
  if (volume.state !== state) return
  context.log.warn(
    { ...factsOf(volume), users: volume.users, code },
    "users of a volume that goes offline are interrupted",
  )
  volume.cell.change("SCANNING_RXCALLS", context.clock.now())
  volume.cell.change(state, context.clock.now())
  volume.abortUses(code)
}

/** The last step, for a volume in state GOING_OFFLINE that nobody uses. */
export function detach(
  context: PackageContext,
  volume: ServerVolume,
  reason: OfflineReason,
): Exclude<OfflineResult, "withdrawn"> {
  const { attachment } = volume
  volume.cell.change("OFFLINING", context.clock.now())
  forget(context, volume)
  try {
    if (attachment !== undefined) {
      const message = attachment.hasOfflineMessage ? {} : { offlineMessage: offlineMessages[reason] }
      attachment.write(volume.partition, { inUse: 0, ...message })
    }
  } catch (error) {
    if (!isDiskError(error)) throw error
    context.log.error({ ...factsOf(volume), err: error }, "volume information cannot be written")
    return "failed"
  }
  volume.cell.change("UNATTACHED", context.clock.now())
  return "offline"
}

/** Drops what was in core of an attached volume, and closes its files. */
export function forget(context: PackageContext, volume: ServerVolume): void {
  volume.attached?.close()
  volume.attached = undefined
  volume.attachment = undefined
  context.lru?.remove(volume)
}
