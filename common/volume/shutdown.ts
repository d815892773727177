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
  const busy: Promise<OfflineResult>[] = []
  const syncs = new Syncs(context)
  let detached = 0
  let failed = 0
  let sliceEnd = performance.now() + sliceMs
  for (const volume of volumes) {
    if (volume.state === "PREATTACHED" || volume.state === "ERROR")
      volume.cell.change("UNATTACHED", context.clock.now())
    if (volume.state === "GOING_OFFLINE") busy.push(ended(volume))
    if (volume.state !== "ATTACHED") continue
    if (volume.users > 0)
      busy.push(Promise.resolve(takeOffline(context, volume, { reason: "shutdown", timeoutMs, code: "VOFFLINE" })))
    else if (detachIdle(context, volume, syncs)) detached++
    else failed++
    if (performance.now() < sliceEnd) continue
    await syncs.room()
    await nextTurn()
    sliceEnd = performance.now() + sliceMs
  }
  for (const result of await Promise.all(busy)) result === "offline" ? detached++ : failed++
  await syncs.done()
  return { detached, failed }
}

/** Resolves when a volume that somebody else takes offline is. */
async function ended(volume: ServerVolume): Promise<OfflineResult> {
  while (volume.state === "GOING_OFFLINE") await volume.cell.changed()
  return volume.state === "ATTACHED" ? "withdrawn" : "offline"
}

function detachIdle(context: PackageContext, volume: ServerVolume, syncs: Syncs): boolean {
  volume.cell.change("GOING_OFFLINE", context.clock.now())
  const file = openInfo(volume)
  const done = detach(context, volume, "shutdown", file) === "offline"
  if (file !== undefined) syncs.add(volume, file)
  return done
}

/** Undefined if it cannot be opened: writing will then fail for the same reason, and say so. */
function openInfo(volume: ServerVolume): DiskFile | undefined {
  const { attachment } = volume
  if (attachment === undefined) return undefined
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

  /** Resolves when another file may be added. */
  async room(): Promise<void> {
    while (this.#running.size >= syncsMax) await Promise.race(this.#running)
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
