/** Our fileserver and dafileserver, each on a partition of its own with the same many volumes, for comparing them. */
import { join } from "node:path"
import { createPartition, type Partition } from "../common/partition/partition.ts"
import { canHaveCell, type PeerCell, startPeerCell } from "./peer-cell.ts"
import { makeVolumes } from "./volumes.ts"

/** A partition and the ids of its volumes. */
export interface FilledPartition {
  readonly partition: Partition
  readonly volumes: readonly number[]
}

/** A cell whose partition is filled and whose fileserver is not started yet. */
export interface FilledCell extends FilledPartition {
  readonly cell: PeerCell
}

/** OpenAFS's encoding for root, so that both servers do the same; a development partition for everybody else. */
async function fill(path: string, count: number): Promise<FilledPartition> {
  const partition = createPartition(path, { development: process.geteuid?.() !== 0 })
  return { partition, volumes: await makeVolumes(partition, count) }
}

/** Runs `work` with our partition and, where there can be one, the peer's cell. */
export async function withBoth<T>(
  directory: string,
  volumeCount: number,
  work: (ours: FilledPartition, peer: FilledCell | undefined) => Promise<T>,
): Promise<T> {
  const ours = await fill(join(directory, "vicepa"), volumeCount)
  if (!canHaveCell()) return await work(ours, undefined)
  using cell = startPeerCell(join(directory, "cell"), "vl", "pt", "sal")
  return await work(ours, { cell, ...(await fill(join(cell.directory, "vicepa"), volumeCount)) })
}

/** True while the process runs; one that has ended but was not asked how does not. */
export { isAlive } from "../test/support/spawned.ts"
