/** A small partition and the operations on it, without a fileserver: what most tests of operations start from. */
import { join } from "node:path"
import type { ExecutionContext } from "ava"
import type { Partition } from "../../common/partition/partition.ts"
import type { VolserverContext } from "../../volserver/context.ts"
import { dumpVolume } from "../../volserver/operations/dump.ts"
import { type RestoredVolume, type RestoreRequest, restoreVolume } from "../../volserver/operations/restore.ts"
import { Pace } from "../../volserver/pace.ts"
import { dumpSource, type Tree, treeDump } from "./dump-builder.ts"
import { describeTree, partitionProblems, readPartitionState } from "./partition-state.ts"
import { temporaryDirectory } from "./temporary-directory.ts"
import { newPartition } from "./volume-builder.ts"

export interface VolumeRig {
  readonly partition: Partition
  readonly context: VolserverContext
  readonly notices: string[]
  readonly place: (id: number) => { readonly partition: Partition; readonly id: number }
  /** Restores a tree into a new volume. */
  readonly volume: (name: string, tree: Tree, id?: number) => Promise<number>
  readonly restore: (bytes: Uint8Array, more?: Partial<RestoreRequest>) => Promise<RestoredVolume>
  readonly dump: (
    id: number,
    more?: { from?: number; omitDirectories?: boolean; viaClone?: boolean },
  ) => Promise<Buffer>
  /** All paths of a volume, and what they are. */
  readonly tree: (id: number, options?: { dates?: boolean; fids?: boolean }) => Record<string, string>
  readonly problems: () => readonly string[]
}

export function volumeRig(t: Pick<ExecutionContext, "teardown">, options: { signal?: AbortSignal } = {}): VolumeRig {
  const folder = temporaryDirectory(t)
  const partition = newPartition(join(folder, "vicepa"))
  const notices: string[] = []
  const context: VolserverContext = {
    claimant: { program: "volumeServer", fileserver: undefined },
    partitions: [partition],
    stateDirectory: undefined,
    now: () => 1_800_000_000,
    pace: new Pace(options),
    notice: (text) => notices.push(text),
  }
  const place = (id: number) => ({ partition, id })
  const restore = (bytes: Uint8Array, more: Partial<RestoreRequest> = {}): Promise<RestoredVolume> =>
    restoreVolume(context, { source: dumpSource(bytes), path: "dump", partition, ...more })
  return {
    partition,
    context,
    notices,
    place,
    restore,
    volume: async (name, tree, id) => (await restore(treeDump(tree, { name }), { name, id })).id,
    async dump(id, { from = 0, omitDirectories = false, viaClone = false } = {}) {
      const pieces: Uint8Array[] = []
      const sink = { write: (bytes: Uint8Array): void => void pieces.push(Uint8Array.from(bytes)) }
      await dumpVolume(context, { place: place(id), from, omitDirectories, sink, viaClone })
      return Buffer.concat(pieces)
    },
    tree(id, how = {}) {
      const volume = readPartitionState(partition.path).volumes.get(id)
      return volume === undefined ? {} : describeTree(volume, how)
    },
    problems: () => partitionProblems(partition.path),
  }
}
