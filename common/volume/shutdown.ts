/**
 * A clean end: every attached volume is taken out of use on disk, and that survives a power failure when it is over.
 *
 * Idle volumes are written in slices, so that the event loop lives on; volumes with users are waited for, all at the same
 * time. What was written is synced at the end, VolumeInfo by VolumeInfo, or the whole file system at once where there are
 * many. Nothing else needs a sync: data and indexes were synced by whoever changed them.
 */
import { setImmediate as nextTurn } from "node:timers/promises"
import type { Millis } from "../clock.ts"
import { isDiskError } from "../disk/disk.ts"
import { nodeDisk } from "../disk/node-disk.ts"
import { syncFileSystem } from "../disk/sync-file-system.ts"
import { InodeStore } from "../partition/inode-store.ts"
import type { Partition } from "../partition/partition.ts"
import type { Attachment } from "./attachment.ts"
import { detach, type OfflineResult, takeOffline } from "./offline.ts"
import { factsOf, type PackageContext } from "./package-context.ts"
import type { ServerVolume } from "./server-volume.ts"

/** The event loop is given back after so long. */
const sliceMs = 10
/** Files that are synced at the same time: keeps Node's four file threads busy. */
const syncLanes = 16
/** From so many volumes on the file system is synced as a whole: that costs as much as about so many files. */
const manyVolumes = 200

/** What a shutdown did. */
export interface ShutdownReport {
  /** Volumes taken out of use. */
  readonly detached: number
  /** Volumes whose state on disk still says that they are in use: their next attach will salvage them. */
  readonly failed: number
}

/** A volume whose VolumeInfo was written and not synced. */
interface Written {
  readonly volume: ServerVolume
  readonly attachment: Attachment
}

/** Detaches every attached volume. The others have nothing in core that the disk lacks. */
export async function detachAll(
  context: PackageContext,
  volumes: Iterable<ServerVolume>,
  timeoutMs: Millis | undefined,
): Promise<ShutdownReport> {
  const written: Written[] = []
  const results: (OfflineResult | Promise<OfflineResult>)[] = []
  let sliceEnd = performance.now() + sliceMs
  for (const volume of volumes) {
    const result = stop(context, volume, timeoutMs, written)
    if (result !== undefined) results.push(result)
    if (performance.now() < sliceEnd) continue
    await nextTurn()
    sliceEnd = performance.now() + sliceMs
  }
  const settled = await Promise.all(results)
  await syncAll(context, written)
  const detached = settled.filter((result) => result === "offline").length
  return { detached, failed: settled.length - detached }
}

/** Undefined for a volume that has nothing to write. */
function stop(
  context: PackageContext,
  volume: ServerVolume,
  timeoutMs: Millis | undefined,
  written: Written[],
): OfflineResult | Promise<OfflineResult> | undefined {
  const { state, attachment } = volume
  if (state === "PREATTACHED" || state === "ERROR") volume.cell.change("UNATTACHED", context.clock.now())
  if (state === "GOING_OFFLINE") return ended(volume)
  if (state !== "ATTACHED" || attachment === undefined) return undefined
  written.push({ volume, attachment })
  if (volume.users > 0) {
    return takeOffline(context, volume, { reason: "shutdown", timeoutMs, code: "VOFFLINE" })
  }
  volume.cell.change("GOING_OFFLINE", context.clock.now())
  return detach(context, volume, "shutdown")
}

/** Resolves when a volume that somebody else takes offline is. */
async function ended(volume: ServerVolume): Promise<OfflineResult> {
  while (volume.state === "GOING_OFFLINE") await volume.cell.changed()
  return volume.state === "ATTACHED" ? "withdrawn" : "offline"
}

async function syncAll(context: PackageContext, written: readonly Written[]): Promise<void> {
  const byPartition = new Map<Partition, Written[]>()
  for (const one of written) {
    const others = byPartition.get(one.volume.partition)
    if (others === undefined) byPartition.set(one.volume.partition, [one])
    else others.push(one)
  }
  for (const [partition, some] of byPartition) {
    if (some.length < manyVolumes || !(await syncWhole(context, partition))) await syncEach(context, some)
  }
}

/** False if it could not be done: then each file has to be synced. Only the machine's own disk has a file system. */
async function syncWhole(context: PackageContext, partition: Partition): Promise<boolean> {
  if (partition.disk !== nodeDisk) return false
  try {
    await syncFileSystem(partition.path)
    return true
  } catch (error) {
    if (!isDiskError(error)) throw error
    context.log.debug({ partition: partition.name, err: error }, "file system cannot be synced as a whole")
    return false
  }
}

async function syncEach(context: PackageContext, written: readonly Written[]): Promise<void> {
  const rest = written.values()
  const lane = async (): Promise<void> => {
    for (const one of rest) await syncOne(context, one)
  }
  await Promise.all(Array.from({ length: syncLanes }, lane))
}

/** Never rejects: a volume whose state may be lost in a power failure is salvaged then. */
async function syncOne(context: PackageContext, { volume, attachment }: Written): Promise<void> {
  try {
    using file = new InodeStore(volume.partition, attachment.group).open(attachment.infoInode, "write")
    await file.syncLater()
  } catch (error) {
    if (!isDiskError(error)) throw error
    context.log.error({ ...factsOf(volume), err: error }, "volume information cannot be synced")
  }
}
