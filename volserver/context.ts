/** What every volume operation is given: where it may work, for whom, and how it tells how far it is. */
import type { Partition } from "../common/partition/partition.ts"
import type { Claimant } from "../fssync/volume-checkout.ts"
import type { SalvagePatience } from "../fssync/volume-operation.ts"
import type { Pace } from "./pace.ts"

export interface VolserverContext {
  readonly claimant: Claimant
  /** The partitions of the server, as far as this process knows them; new volumes go on the first. */
  readonly partitions: readonly Partition[]
  /** Folder with the counter of volume ids; undefined: ids follow from the partitions alone. */
  readonly stateDirectory: string | undefined
  /** Seconds since 1970. */
  readonly now: () => number
  /** Lets the process breathe during long work, reports progress, and ends the work when it is told to. */
  readonly pace: Pace
  readonly patience?: SalvagePatience | undefined
  /** Told of what is worth a line and no error. */
  readonly notice: (text: string) => void
  /** Told that the input of an operation that reads one has come, and work begins. */
  readonly begun?: (() => void) | undefined
}
