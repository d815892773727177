/** A volume of the peer's, and the same one on a partition of ours: both sides begin with the same id and contents. */
import { execFileSync } from "node:child_process"
import { join } from "node:path"
import { createPartition } from "../common/partition/partition.ts"
import type { PeerCell } from "./peer-cell.ts"

const dafs = join(import.meta.dirname, "..", "cli", "dafs.js")

export interface TwinVolumes {
  readonly id: number
  /** Path of our partition. */
  readonly partition: string
}

/** Makes them, empty but for a root that is open to everybody. The cell's fileserver and volserver run. */
export function makeTwinVolumes(cell: PeerCell, directory: string, name: string): TwinVolumes {
  const id = cell.volume(name)
  const { path } = createPartition(join(directory, "ours"), { development: false })
  const dump = join(directory, `${name}.dump`)
  cell.exec("vos", "dump", name, "-noauth", "-file", dump)
  const words = [
    "vos",
    "restore",
    name,
    "--id",
    String(id),
    "--file",
    dump,
    "--partition",
    path,
    "--offline",
    "--quiet",
  ]
  execFileSync(process.execPath, [dafs, ...words], { stdio: ["ignore", "ignore", "inherit"] })
  return { id, partition: path }
}
