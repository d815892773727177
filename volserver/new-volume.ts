/** A volume that comes into being: an id, its lock, its files under the destroy mark, and the work that makes it whole. */
import { AfsError, isAfsError } from "../common/error.ts"
import { listHeaderNames, type Partition } from "../common/partition/partition.ts"
import type { VolumeHeader } from "../common/volume/volume-header.ts"
import { volumeStates } from "../common/volume/volume-state.ts"
import { responses } from "../fssync/message.ts"
import { claimNewVolume, type VolumeCheckout } from "../fssync/volume-checkout.ts"
import { attachHeld, type VolumeOperation } from "../fssync/volume-operation.ts"
import type { VolserverContext } from "./context.ts"
import { makeVolumeFiles, removeUnfinished, unmakeVolumeFiles } from "./volume-files.ts"
import { nextVolumeId, rememberVolumeId, requireVolumeId } from "./volume-id.ts"
import { volumesNoting } from "./volume-list.ts"

export interface NewVolume {
  readonly partition: Partition
  /** Undefined: the next free one. */
  readonly id: number | undefined
  /** Id of the volume group; undefined: its own id, for a read-write volume. */
  readonly parent: number | undefined
  /** A copy of a clone that is noted elsewhere: it may have the clone's id. */
  readonly isCopy?: boolean
}

/** Ids tried where the next free one is taken by others at the same time. */
const idTriesMax = 16

/**
 * Makes a volume and runs `work` on it. If the work fails the volume is removed again; if even that fails, what stays carries
 * the destroy mark and the next salvage removes it.
 * @throws AfsError EINVAL for an id that no volume can have; VVOLEXISTS; EXDEV if the id or its group is on another partition; LOCKED; and what the work throws
 */
export async function withNewVolume<T>(
  context: VolserverContext,
  wanted: NewVolume,
  work: (operation: VolumeOperation) => Promise<T> | T,
): Promise<T> {
  if (wanted.id !== undefined) requireVolumeId(wanted.id)
  const checkout = await claimId(context, wanted)
  const operation = await begin(context, wanted, checkout)
  let result: T
  try {
    result = await work(operation)
  } catch (error) {
    await undo(context, operation)
    throw error
  }
  await operation.end()
  return result
}

async function claimId(context: VolserverContext, wanted: NewVolume): Promise<VolumeCheckout> {
  for (let tries = 1; ; tries++) {
    const id = wanted.id ?? nextVolumeId([wanted.partition, ...context.partitions], context.stateDirectory)
    try {
      const checkout = await claimNewVolume(context.claimant, wanted.partition, id)
      try {
        await requireFree(context, wanted, id)
        requireNotNoted(context, wanted, id)
        rememberVolumeId(context.stateDirectory, id)
        return checkout
      } catch (error) {
        await checkout.end("nothing")
        throw error
      }
    } catch (error) {
      const passing =
        wanted.id === undefined && tries < idTriesMax && isAfsError(error, "LOCKED", "VVOLEXISTS", "EXDEV")
      if (!passing) throw error
      rememberVolumeId(context.stateDirectory, id)
    }
  }
}

/**
 * A volume's note of its clone outlives the clone, whose next one gets the id again.
 * @throws AfsError VVOLEXISTS if a volume of another group notes the id as that of its clone
 */
function requireNotNoted(context: VolserverContext, wanted: NewVolume, id: number): void {
  if (wanted.id === undefined || wanted.isCopy === true) return // those given out are above all that are noted
  const group = wanted.parent ?? id
  const noting = volumesNoting([wanted.partition, ...context.partitions], id).find(
    ({ header }) => header.parent !== group,
  )
  if (noting === undefined) return
  const detail = `volume ${noting.id} notes this id as that of its clone`
  throw new AfsError("VVOLEXISTS", "newVolume", { volume: id, partition: noting.partition.name }, { detail })
}

/** @throws AfsError VVOLEXISTS if the id is in use here or, for a read-write volume, anywhere; EXDEV for a clone elsewhere */
async function requireFree(context: VolserverContext, wanted: NewVolume, id: number): Promise<void> {
  const { partition } = wanted
  const places = context.partitions.filter((place) => listHeaderNames(place).some(({ volume }) => volume === id))
  const here = places.find((place) => place.path === partition.path)
  const place = here?.name ?? places[0]?.name ?? (await placeAtFileserver(context, partition, id))
  if (place === undefined) return
  const isClone = wanted.parent !== undefined && wanted.parent !== id
  const code = here === undefined && isClone ? "EXDEV" : "VVOLEXISTS"
  throw new AfsError(code, "newVolume", { volume: id, partition: place })
}

/** The partition on which the fileserver knows a volume of this id, if it is another one. */
async function placeAtFileserver(
  context: VolserverContext,
  partition: Partition,
  id: number,
): Promise<string | undefined> {
  const answer = await context.claimant.fileserver?.queryVolume(id)
  if (answer?.response !== responses.OK || answer.payload === undefined) return undefined
  const { partition: place, attach_state } = answer.payload
  return attach_state === volumeStates.DELETED || place === partition.name ? undefined : place
}

async function begin(context: VolserverContext, wanted: NewVolume, checkout: VolumeCheckout): Promise<VolumeOperation> {
  const { partition, volume: id } = checkout
  const parent = wanted.parent ?? id
  let header: VolumeHeader | undefined
  try {
    header = makeVolumeFiles(partition, id, parent, context.now())
    await context.claimant.fileserver?.groupAdd(parent, id, partition.name)
    return await attachHeld(checkout)
  } catch (error) {
    if (header !== undefined) unmakeVolumeFiles(partition, header)
    await checkout.end("nothing")
    throw error
  }
}

/** The failure of the work is the one to tell; a removal that fails too leaves the destroy mark. */
async function undo(context: VolserverContext, operation: VolumeOperation): Promise<void> {
  const { checkout, volume } = operation
  try {
    if (operation.isBroken) return await operation.end()
    await removeUnfinished({ ...context, pace: context.pace.undisturbed() }, operation)
    await context.claimant.fileserver?.groupDelete(volume.header.parent, volume.id, checkout.partition.name)
    await operation.end()
  } catch {
    volume.close()
    await checkout.end("leaveOff")
    context.notice(`volume ${volume.id} could not be removed again: the next salvage does it`)
  }
}
