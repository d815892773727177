/** `dafs salvager --undo`: which salvages can be taken back, and taking one back. */
import { printTable } from "../../common/cli/output.ts"
import { AfsError } from "../../common/error.ts"
import type { Partition } from "../../common/partition/partition.ts"
import type { Claimant } from "../../fssync/volume-checkout.ts"
import { undoSalvage } from "../salvage.ts"
import { keptSalvages } from "./reversal.ts"

/** `list` shows all that are kept; anything else is the name of one. @throws AfsError as undoSalvage */
export async function runUndo(
  partitions: readonly Partition[],
  name: string,
  claimant: Claimant,
  json: boolean,
): Promise<void> {
  if (name === "list") {
    listKept(partitions, json)
    return
  }
  const [partition] = partitions
  if (partition === undefined || partitions.length > 1)
    throw new AfsError("USAGE", "salvager", {}, { detail: "--undo needs one --partition" })
  await undoSalvage(partition, name, claimant)
  const done = { type: "undo", partition: partition.name, name }
  const text = `${partition.name}: salvage ${name} was taken back: its volumes are as damaged as before`
  process.stdout.write(`${json ? JSON.stringify(done) : text}\n`)
}

function listKept(partitions: readonly Partition[], json: boolean): void {
  const rows = partitions.flatMap((partition) =>
    keptSalvages(partition).map(({ name, group, time, bytes }) => ({
      ...{ type: "kept", partition: partition.name, name, group },
      ...{ date: new Date(1000 * time).toISOString(), bytes },
    })),
  )
  if (json) for (const row of rows) process.stdout.write(`${JSON.stringify(row)}\n`)
  else
    printTable(rows, [
      { title: "PARTITION", value: (row) => row.partition },
      { title: "NAME", value: (row) => row.name },
      { title: "GROUP", value: (row) => String(row.group), align: "right" },
      { title: "DATE", value: (row) => row.date },
      { title: "BYTES", value: (row) => String(row.bytes), align: "right" },
    ])
}
