/**
 * A clean end: every attached volume is taken out of use on disk, and that survives a power failure when it is over.
 *
 * Idle volumes are written in slices, so that the event loop lives on; each VolumeInfo is then synced in the background, a
 * bounded number at a time, while the next ones are written. Nothing else needs a sync: data and indexes were synced by
 * whoever changed them. Volumes with users are waited for, all at the same time.
 */
import { setImmediate as nextTurn } from "node:timers/promises"
import type { Millis } from "../clock.ts"
import { type DiskFile, isDiskError } from "../disk/disk.ts"
import { InodeStore } from "../partition/inode-store.ts"
import type { Attachment } from "./attachment.ts"
import { detach, type OfflineResult, takeOffline } from "./offline.ts"
import { factsOf, type PackageContext } from "./package-context.ts"
import type { ServerVolume } from "./server-volume.ts"

/** The event loop is given back after so long. */
const sliceMs = 10
/** Files that wait for the disk at a time: enough to keep Node's four file threads busy, few enough for any limit of descriptors. */
const syncsMax = 64

/** What a shutdown did. */
export interface ShutdownReport {
  /** Volumes taken out of use. */
  readonly detached: number
  /** Volumes whose state on disk still says that they are in use: their next attach will salvage them. */
  readonly failed: number
}

/** Detaches every attached volume. The others have nothing in core that the disk lacks. */
export async function detachAll(
  context: PackageContext,
  volumes: Iterable<ServerVolume>,
  timeoutMs: Millis | undefined,
): Promise<ShutdownReport> {
  const syncs = new Syncs(context)
  const results: (OfflineResult | Promise<OfflineResult>)[] = []
  let sliceEnd = performance.now() + sliceMs
  for (const volume of volumes) {
    const result = stop(context, volume, timeoutMs, syncs)
    if (result !== undefined) results.push(result)
    if (syncs.isFull) await syncs.room()
    if (performance.now() < sliceEnd) continue
    await nextTurn()
    sliceEnd = performance.now() + sliceMs
  }
  const settled = await Promise.all(results)
  await syncs.done()
  const detached = settled.filter((result) => result === "offline").length
  return { detached, failed: settled.length - detached }
}

/** Undefined for a volume that has nothing to write. */
function stop(
  context: PackageContext,
  volume: ServerVolume,
  timeoutMs: Millis | undefined,
  syncs: Syncs,
): OfflineResult | Promise<OfflineResult> | undefined {
  const { state, attachment } = volume
  if (state === "PREATTACHED" || state === "ERROR") volume.cell.change("UNATTACHED", context.clock.now())
  if (state === "GOING_OFFLINE") return ended(volume)
  if (state !== "ATTACHED" || attachment === undefined) return undefined
  if (volume.users === 0) return detachIdle(context, volume, attachment, syncs)
  const result = takeOffline(context, volume, { reason: "shutdown", timeoutMs, code: "VOFFLINE" })
  return Promise.resolve(result).then((how) => {
    const file = openInfo(volume, attachment)
    if (file !== undefined) syncs.add(volume, file)
    return how
  })
}

/** Resolves when a volume that somebody else takes offline is. */
async function ended(volume: ServerVolume): Promise<OfflineResult> {
  while (volume.state === "GOING_OFFLINE") await volume.cell.changed()
  return volume.state === "ATTACHED" ? "withdrawn" : "offline"
}

/** One open file for writing and syncing. */
function detachIdle(
  context: PackageContext,
  volume: ServerVolume,
  attachment: Attachment,
  syncs: Syncs,
): OfflineResult {
  volume.cell.change("GOING_OFFLINE", context.clock.now())
  const file = openInfo(volume, attachment)
  const result = detach(context, volume, "shutdown", file)
  if (file !== undefined) syncs.add(volume, file)
  return result
}

/** Undefined if it cannot be opened: writing will then fail for the same reason, and say so. */
function openInfo(volume: ServerVolume, attachment: Attachment): DiskFile | undefined {
  try {
    return new InodeStore(volume.partition, attachment.group).open(attachment.infoInode, "write")
  } catch (error) {
    if (isDiskError(error)) return undefined
    throw error
  }
}

/** Files being synced. */
class Syncs {
  readonly #context: PackageContext
  readonly #running = new Set<Promise<void>>()

  constructor(context: PackageContext) {
    this.#context = context
  }

  /** Syncs a file and closes it. */
  add(volume: ServerVolume, file: DiskFile): void {
    const running = this.#sync(volume, file).finally(() => this.#running.delete(running))
    this.#running.add(running)
  }

  get isFull(): boolean {
    return this.#running.size >= syncsMax
  }

  /** Resolves when another file may be added. */
  async room(): Promise<void> {
    while (this.isFull) await Promise.race(this.#running)
  }

  async done(): Promise<void> {
    await Promise.all(this.#running)
  }

  /** Never rejects: a volume whose state may be lost in a power failure is salvaged then. */
  async #sync(volume: ServerVolume, file: DiskFile): Promise<void> {
    try {
      await file.syncLater()
    } catch (error) {
      this.#context.log.error({ ...factsOf(volume), err: error }, "volume information cannot be synced")
    } finally {
      file.close()
    }
  }
}
