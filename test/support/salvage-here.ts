/** Our salvager on a partition, in this process and without a fileserver. */
import { openPartition } from "../../common/partition/partition.ts"
import { type Emit, type GroupResult, salvagePartition } from "../../salvager/salvage.ts"

/** Repairs everything that it finds, and tells `emit`. */
export function salvageHere(directory: string, emit: Emit = () => undefined): Promise<GroupResult[]> {
  const claimant = { program: "salvager", fileserver: undefined } as const
  const options = { readOnly: false, force: true, orphans: "ignore", salvageDirs: false, claimant } as const
  return salvagePartition(openPartition(directory), options, emit)
}
