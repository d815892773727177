/** A fileserver and a salvage server at work on a partition with many volumes, and what a client of theirs does. */
import { join } from "node:path"
import { setTimeout as delay } from "node:timers/promises"
import type { ExecutionContext } from "ava"
import { nodeDisk } from "../../common/disk/node-disk.ts"
import { volumeLockHolders } from "../../common/lock/lock-holder.ts"
import { createPartition, type Partition } from "../../common/partition/partition.ts"
import { salvageHistoryName } from "../../salvager/job-view.ts"
import { readHistory } from "../../salvager/salvage-history.ts"
import { type FileserverProcess, startFileserver } from "./fileserver-process.ts"
import { partitionProblems } from "./partition-state.ts"
import { patchBytes, specialPath } from "./patch.ts"
import { type Spawned, spawnSource } from "./spawned.ts"
import { temporaryDirectory } from "./temporary-directory.ts"
import { volumeOf } from "./volume-builder.ts"

export interface SalvageRig {
  readonly partition: Partition
  readonly volumes: readonly number[]
  readonly fileserver: FileserverProcess
  /** The running salvage server; another one after `startSalvageserver`. */
  salvageserver: Spawned
  startSalvageserver(): Promise<void>
}

export interface SalvageRigOptions {
  /** Volumes; all are alike. */
  readonly count: number
  /** Options of the salvage server. */
  readonly words?: readonly string[]
  /** Options of the fileserver. */
  readonly fileserverWords?: readonly string[]
  /** Source of the `dafs` that runs the salvage server. */
  readonly program?: string
  readonly environment?: Readonly<Record<string, string>>
  /** Done to the partition before the servers start. */
  readonly prepare?: (partition: Partition, volumes: readonly number[]) => Promise<void>
}

export const rigTree = { folder: { folder: { file: "content", other: "more" } }, file: "content" }

export async function startSalvageRig(t: ExecutionContext, options: SalvageRigOptions): Promise<SalvageRig> {
  const { count, words = [], fileserverWords = [], program = "cli/dafs.ts", environment = {}, prepare } = options
  const partition = createPartition(join(temporaryDirectory(t), "vicepa"), { development: true })
  const volumes: number[] = []
  for (let index = 0; index < count; index++) volumes.push(await volumeOf(partition, `v.${index}`, rigTree))
  await prepare?.(partition, volumes)
  const fileserver = await startFileserver(t, [partition], ...fileserverWords)
  const where = ["--partition", partition.path, "--state-dir", fileserver.stateDirectory]
  const start = async (): Promise<Spawned> => {
    const server = spawnSource(t, program, ["salvageserver", ...where, ...words], { environment })
    await server.line(/salvageserver ready/)
    return server
  }
  const rig: SalvageRig = {
    partition,
    volumes,
    fileserver,
    salvageserver: await start(),
    async startSalvageserver() {
      rig.salvageserver = await start()
    },
  }
  return rig
}

/** Overwrites the beginning of the vnode index of a volume that is not attached: its attachment finds that. */
export function damageIndex({ partition }: Pick<SalvageRig, "partition">, volume: number): void {
  patchBytes(specialPath(partition.path, volume, volume, "smallIndex"), 0, 64 + 20, (bytes) => bytes.fill(0))
}

/** What a client does: it asks again as long as the volume is being salvaged, or the fileserver is away. */
export async function served({ fileserver }: SalvageRig, volume: number, timeoutMs = 60_000): Promise<string> {
  const end = Date.now() + timeoutMs
  for (;;) {
    const answer = await accessed(fileserver, volume)
    if ((answer !== "VBUSY" && answer !== "VSALVAGING" && answer !== "gone") || Date.now() > end) return answer
    await delay(50)
  }
}

async function accessed(fileserver: FileserverProcess, volume: number): Promise<string> {
  try {
    return await fileserver.access(volume)
  } catch {
    return "gone" // between two fileservers
  }
}

/** What the salvage server noted. A worker gives its volume back before it ends, and is noted when it has ended. */
export async function historyOf({ fileserver }: SalvageRig, count: number): Promise<ReturnType<typeof readHistory>> {
  for (;;) {
    const noted = readHistory(nodeDisk, join(fileserver.stateDirectory, salvageHistoryName))
    if (noted.length >= count) return noted
    await delay(20)
  }
}

/** Every volume is served, nobody has one checked out or locked, and after a clean end nothing is wrong on the disk. */
export async function requireSettled(t: ExecutionContext, rig: SalvageRig, members = rig.volumes): Promise<void> {
  for (const volume of members) {
    t.is(await served(rig, volume), "ok", `volume ${volume}`)
    await requireFree(t, rig, volume)
  }
  await rig.salvageserver.stop()
  await rig.fileserver.stop()
  t.deepEqual(partitionProblems(rig.partition.path), [])
}

/** Whoever has just let a volume go says so a moment after its lock is free. */
async function requireFree(t: ExecutionContext, { partition, fileserver }: SalvageRig, volume: number): Promise<void> {
  const holders = (): unknown[] => volumeLockHolders(partition, volume)
  const operation = async () => (await fileserver.client().queryVolumeOperation(volume, partition.name)).payload
  for (let round = 0; round < 1500 && (holders().length > 0 || (await operation()) !== undefined); round++)
    await delay(20)
  t.deepEqual(holders(), [], `no lock of volume ${volume} is left`)
  t.is(await operation(), undefined, `no checkout of volume ${volume} is left`)
}
