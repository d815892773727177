/**
 * Restore of a dump, into a new volume or over an existing one. OpenAFS volser/dumpstuff.c, volser/vos.c (RestoreVolume).
 *
 * Better than the original: nothing of the volume changes before the dump's end mark has been read, and then it changes all
 * at once (volume-draft.ts). A restore that fails leaves an existing volume as it was and a new one removed.
 */

import { DumpReader } from "../../common/dump/dump-reader.ts"
import type { DumpHeader, DumpVolumeHeader } from "../../common/dump/dump-tags.ts"
import type { DumpSource } from "../../common/dump/dump-window.ts"
import { AfsError, FormatError } from "../../common/error.ts"
import { InodeStore } from "../../common/partition/inode-store.ts"
import { headerPath, type Partition } from "../../common/partition/partition.ts"
import { volumeTypes } from "../../common/protocol/codes.ts"
import { VolumeDraft } from "../../common/volume/volume-draft.ts"
import { type VolumeOperation, withVolume } from "../../fssync/volume-operation.ts"
import type { VolserverContext } from "../context.ts"
import { withNewVolume } from "../new-volume.ts"
import { type InfoRequest, restoredInfo } from "../restored-info.ts"
import { type CopiedFile, type RestoredContents, RestoredVnodes } from "../restored-vnodes.ts"
import { switchContents } from "../switch-contents.ts"
import { placesOfName, type VolumePlace } from "../volume-list.ts"
import { baseName, requireStoredName, shownName } from "../volume-name.ts"
import { requireFreeName } from "./create.ts"

/** What happens to a volume that is there already. */
export type Overwrite = "abort" | "full" | "incremental"

export interface RestoreRequest extends InfoRequest {
  readonly source: DumpSource
  /** Name of the stream, for errors. */
  readonly path: string
  /** Bytes of the stream, if known: for progress. */
  readonly size?: number | undefined
  readonly partition: Partition
  /** Default: the dump's, without the ending of a clone. */
  readonly name?: string | undefined
  /** Default: that of the volume with this name on the partition, else the next free one. */
  readonly id?: number | undefined
  /** Default `abort`. */
  readonly overwrite?: Overwrite | undefined
}

export interface RestoredVolume {
  readonly id: number
  readonly name: string
  readonly partition: string
  readonly overwritten: boolean
  readonly filecount: number
  /** KiB. */
  readonly diskused: number
  /** Bytes of the stream. */
  readonly length: number
}

/** A dump whose headers have been read. */
interface OpenDump {
  readonly reader: DumpReader
  readonly header: DumpHeader
  readonly volume: DumpVolumeHeader
  /** Bytes taken from the stream so far. */
  readonly taken: () => number
}

/**
 * Restores a dump.
 * @throws FormatError for a dump that is not one, or is cut short; AfsError VVOLEXISTS if the volume exists and nothing was
 * said about overwriting; EINVAL if an incremental dump does not fit the volume; VDISKFULL, DiskError. See above for what
 * then becomes of the volume.
 */
export async function restoreVolume(context: VolserverContext, request: RestoreRequest): Promise<RestoredVolume> {
  const dump = openDump(context, request)
  const name = requireStoredName(request.name ?? baseName(shownName(dump.header.name)))
  const existing = existingPlace(request, name)
  if (existing === undefined) return restoreNew(context, request, dump, name)
  if ((request.overwrite ?? "abort") === "abort") {
    const detail = "say with --overwrite full or --overwrite incremental what becomes of it"
    throw new AfsError("VVOLEXISTS", "restore", { volume: existing.id, partition: request.partition.name }, { detail })
  }
  return restoreOver(context, request, dump, name, existing)
}

function openDump(context: VolserverContext, request: RestoreRequest): OpenDump {
  let taken = 0
  const counted: DumpSource = {
    read(into) {
      const count = request.source.read(into)
      taken += count
      return count
    },
  }
  const onNotice = (text: string, offset: number): void => context.notice(`${request.path} offset ${offset}: ${text}`)
  const reader = new DumpReader(counted, { path: request.path, onNotice })
  const first = reader.next()
  const second = reader.next()
  context.begun?.()
  if (first.kind !== "dump" || second.kind !== "volume") {
    throw new FormatError("volume dump", { path: request.path }, `${first.kind}, ${second.kind}`, "dump, volume")
  }
  return { reader, header: first.header, volume: second.header, taken: () => taken }
}

function existingPlace(request: RestoreRequest, name: string): VolumePlace | undefined {
  const { partition, id } = request
  if (id !== undefined)
    return partition.disk.stat(headerPath(partition, id)) === undefined ? undefined : { partition, id }
  const [place, other] = placesOfName([partition], name)
  if (other === undefined) return place
  const detail = `volumes ${place?.id} and ${other.id} both have the name ${name}: give the id`
  throw new AfsError("EINVAL", "restore", { partition: partition.name }, { detail })
}

async function restoreNew(
  context: VolserverContext,
  request: RestoreRequest,
  dump: OpenDump,
  name: string,
): Promise<RestoredVolume> {
  const { partition, id } = request
  requireFreeName(context, partition, name, "restore")
  const wanted = { partition, id, parent: undefined, isCopy: request.readonly === true }
  const restored = await withNewVolume(context, wanted, (operation) =>
    restoreInto(context, request, dump, operation, name, false),
  )
  await context.claimant.fileserver?.breakCallbacks(restored.id)
  return restored
}

async function restoreOver(
  context: VolserverContext,
  request: RestoreRequest,
  dump: OpenDump,
  name: string,
  { partition, id }: VolumePlace,
): Promise<RestoredVolume> {
  const work = async (operation: VolumeOperation): Promise<RestoredVolume> => {
    const { info } = operation.volume
    if (shownName(info.name) !== name) requireFreeName(context, partition, name, "restore", id)
    requireSameType(request, operation)
    const restored = await restoreInto(context, request, dump, operation, name, true)
    await context.claimant.fileserver?.breakCallbacks(id)
    return restored
  }
  return withVolume(context.claimant, partition, id, "VOLUPD", work, context.patience)
}

/** @throws AfsError EINVAL if a read-write volume is to become read-only, or the other way round */
function requireSameType(request: RestoreRequest, { volume }: VolumeOperation): void {
  const isReadonly = volume.info.type !== volumeTypes.RW
  if (request.readonly === undefined || request.readonly === isReadonly) return
  const detail = `it is a ${isReadonly ? "read-only" : "read-write"} volume`
  throw new AfsError("EINVAL", "restore", { volume: volume.id, partition: volume.partition.name }, { detail })
}

async function restoreInto(
  context: VolserverContext,
  request: RestoreRequest,
  dump: OpenDump,
  operation: VolumeOperation,
  name: string,
  overwritten: boolean,
): Promise<RestoredVolume> {
  const { volume } = operation
  const incremental = overwritten && request.overwrite === "incremental"
  using draft = VolumeDraft.begin(new InodeStore(volume.partition, volume.header.parent), volume.header)
  await using vnodes = new RestoredVnodes(volume, draft, { path: request.path, incremental, notice: context.notice })
  try {
    const { header, length } = await readVnodes(context, request, dump, vnodes)
    await vnodes.finish()
    const { contents } = vnodes
    requireRoot(context, request, operation, contents, overwritten)
    const now = context.now()
    const next = restoredInfo(operation, request, { header, contents, name, overwritten, incremental, now })
    await switchContents(context, operation, draft, next)
    const { filecount, diskused } = contents
    return { id: volume.id, name, partition: volume.partition.name, overwritten, filecount, diskused, length }
  } catch (error) {
    await vnodes.undo(operation)
    throw error
  }
}

/** Reads the stream to its end; the last volume header counts. */
async function readVnodes(
  context: VolserverContext,
  request: RestoreRequest,
  dump: OpenDump,
  vnodes: RestoredVnodes,
): Promise<{ header: DumpVolumeHeader; length: number }> {
  const { reader } = dump
  const step = (): Promise<void> | undefined =>
    context.pace.step({ unit: "bytes", done: dump.taken(), total: request.size })
  let header = dump.volume
  let file: CopiedFile | undefined
  for (;;) {
    const event = reader.next()
    switch (event.kind) {
      case "dump":
        break // the parser lets none through after the first
      case "volume":
        header = event.header
        break
      case "data":
        file = await vnodes.data(reader, event.vnode, event.length, step)
        break
      case "vnode":
        if (event.hasAttributes) vnodes.put(event.vnode, file)
        else vnodes.keep(event.vnode.vnode, event.vnode.unique)
        file = undefined
        break
      case "end":
        return { header, length: event.length }
    }
    const turn = step()
    if (turn !== undefined) await turn
  }
}

/** A volume without root directory is of no use; one that has a root does not lose it to such a dump. */
function requireRoot(
  context: VolserverContext,
  request: RestoreRequest,
  { volume }: VolumeOperation,
  contents: RestoredContents,
  overwritten: boolean,
): void {
  if (contents.hasRoot) return
  if (overwritten) {
    throw new FormatError("volume dump", { path: request.path }, "no root directory (vnode 1)", "one")
  }
  context.notice(`volume ${volume.id} has no root directory: dafs salvager --orphans attach makes one`)
}
