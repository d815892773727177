/** Taking a volume out of service and putting it back. OpenAFS volser/vos.c (SetVolume), volser/volprocs.c (VolSetFlags). */
import { setTimeout as delay } from "node:timers/promises"
import { AfsError } from "../../common/error.ts"
import { destroyMeMark } from "../../common/volume/volume-info.ts"
import { type VolumeOperation, withVolume } from "../../fssync/volume-operation.ts"
import type { VolserverContext } from "../context.ts"
import type { VolumePlace } from "../volume-list.ts"
import { shownName } from "../volume-name.ts"

export interface ServiceState {
  readonly id: number
  readonly name: string
  readonly inService: boolean
}

export interface OfflineOptions {
  /** Milliseconds after which the volume is online again; undefined: it stays offline. */
  readonly forMs?: number | undefined
  /** Clients are told that the volume is busy rather than offline; needs `forMs`. */
  readonly busy?: boolean | undefined
}

/** Takes a volume out of service, for a time or until `putOnline`. @throws AfsError as attaching does; INTERRUPTED */
export async function takeOffline(
  context: VolserverContext,
  { partition, id }: VolumePlace,
  options: OfflineOptions = {},
): Promise<ServiceState> {
  const { forMs } = options
  if (options.busy === true && forMs === undefined) {
    throw new AfsError("EINVAL", "offline", { volume: id }, { detail: "a volume is busy for a time only" })
  }
  const work = async (operation: VolumeOperation): Promise<ServiceState> => {
    setService(operation, forMs !== undefined)
    if (forMs !== undefined) await waitFor(forMs, context.pace.signal)
    return stateOf(operation)
  }
  const mode = options.busy === true ? "CLONE" : "VOLUPD"
  return withVolume(context.claimant, partition, id, mode, work, context.patience)
}

/** Cut short by the signal: the volume is then online earlier. */
async function waitFor(ms: number, signal: AbortSignal | undefined): Promise<void> {
  try {
    await delay(ms, undefined, { signal })
  } catch (cause) {
    throw new AfsError("INTERRUPTED", "offline", {}, { cause })
  }
}

/**
 * Puts a volume into service.
 * @throws AfsError EINVAL for a volume that never was complete; VNOSERVICE for one that a salvager had to invent: see
 * `setFields`, blessed
 */
export async function putOnline(context: VolserverContext, { partition, id }: VolumePlace): Promise<ServiceState> {
  const work = (operation: VolumeOperation): ServiceState => {
    requireComplete(operation)
    setService(operation, true)
    return stateOf(operation)
  }
  return withVolume(context.claimant, partition, id, "VOLUPD", work, context.patience)
}

function requireComplete({ volume }: VolumeOperation): void {
  const subject = { volume: volume.id, partition: volume.partition.name }
  if (volume.info.destroyMe === destroyMeMark) {
    const detail = "it was never completed, or is half removed: remove it"
    throw new AfsError("EINVAL", "online", subject, { detail })
  }
  if (volume.info.blessed !== 0) return
  const detail = "its VolumeInfo was made by a salvager: look at it, then dafs vos setfields --blessed"
  throw new AfsError("VNOSERVICE", "online", subject, { detail })
}

function setService(operation: VolumeOperation, inService: boolean): void {
  const { info } = operation.volume
  info.inService = inService ? 1 : 0
  operation.writeInfo()
}

function stateOf({ volume }: VolumeOperation): ServiceState {
  return { id: volume.id, name: shownName(volume.info.name), inService: volume.info.inService !== 0 }
}
