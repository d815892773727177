/** Partitions and volumes to test with, made by the suite's own operations, without any server. */
import type { Disk } from "../../common/disk/disk.ts"
import { createPartition, openPartition, type Partition } from "../../common/partition/partition.ts"
import type { VolserverContext } from "../../volserver/context.ts"
import { restoreVolume } from "../../volserver/operations/restore.ts"
import { Pace } from "../../volserver/pace.ts"
import { type DumpOptions, dumpSource, type Tree, treeDump } from "./dump-builder.ts"
import { type FixtureEncoding, possibleEncoding } from "./fixture.ts"

/** A new empty partition in `directory`: OpenAFS's encoding for root, a development partition for everybody else. */
export function newPartition(directory: string, encoding: FixtureEncoding = possibleEncoding): Partition {
  return createPartition(directory, { development: encoding === "development" })
}

/** What volume operations need, without a fileserver: time stands still at `now` (seconds since 1970). */
export function standaloneContext(
  partitions: readonly Partition[],
  options: { readonly now?: number; readonly stateDirectory?: string } = {},
): VolserverContext {
  return {
    claimant: { program: "volumeServer", fileserver: undefined },
    partitions,
    stateDirectory: options.stateDirectory,
    now: () => options.now ?? 1_800_000_000,
    pace: new Pace(),
    notice: () => {},
  }
}

/** The same partition over another disk, for crash tests. */
export function partitionOn(disk: Disk, partition: Pick<Partition, "path">): Partition {
  return openPartition(partition.path, disk)
}

/** Makes a volume with this content on a partition; gives its id. */
export async function volumeOf(
  partition: Partition,
  name: string,
  tree: Tree,
  options: DumpOptions & { readonly context?: VolserverContext } = {},
): Promise<number> {
  const context = options.context ?? standaloneContext([partition])
  const source = dumpSource(treeDump(tree, { ...options, name }))
  const { id } = await restoreVolume(context, { source, path: `dump of ${name}`, partition, name, id: options.volume })
  return id
}
