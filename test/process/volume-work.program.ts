/**
 * Works on volumes of a partition that a fileserver serves. Arguments: state directory, partition, `salvage` or `dump`, ids.
 *
 * `salvage` salvages the groups of the volumes, all at once, and prints the status of each. `dump` dumps the volumes over
 * and over; it prints `dumping` when all were dumped once and ends at SIGTERM, with the hash of each volume's dump: one line,
 * if all its dumps were the same.
 */
import { createHash } from "node:crypto"
import { setImmediate as turn } from "node:timers/promises"
import { openPartition } from "../../common/partition/partition.ts"
import { openFileserver } from "../../fssync/fileserver-link.ts"
import { salvageVolume } from "../../salvager/salvage.ts"
import { dumpVolume } from "../../volserver/operations/dump.ts"
import { standaloneContext } from "../support/volume-builder.ts"

const [stateDirectory = "", path = "", work = "", ...words] = process.argv.slice(2)
const partition = openPartition(path)
const volumes = words.map(Number)

async function salvage(): Promise<void> {
  const program = "volumeSalvager"
  await using fileserver = await openFileserver({ stateDirectory, program, offline: false })
  const options = { readOnly: false, force: true, orphans: "ignore", salvageDirs: false } as const
  const claimant = { program, fileserver } as const
  const salvages = volumes.map((id) => salvageVolume(partition, id, { ...options, claimant }, () => undefined))
  for (const { group, status, error } of await Promise.all(salvages))
    process.stdout.write(`${group} ${status}${error === undefined ? "" : ` ${error.message}`}\n`)
}

async function dump(): Promise<void> {
  const program = "volumeServer"
  await using fileserver = await openFileserver({ stateDirectory, program, offline: false })
  const context = { ...standaloneContext([partition]), claimant: { program, fileserver } as const }
  const seen = new Set<string>()
  let isOver = false
  process.once("SIGTERM", () => {
    isOver = true
  })
  for (let round = 0; !isOver; round++) {
    for (const id of volumes) {
      const hash = createHash("sha256")
      await dumpVolume(context, {
        place: { partition, id },
        from: 0,
        omitDirectories: false,
        sink: { write: (bytes) => void hash.update(bytes) },
      })
      seen.add(`${id} ${hash.digest("hex")}`)
    }
    if (round === 0) process.stdout.write("dumping\n")
    await turn()
  }
  process.stdout.write([...seen].sort().join("\n"))
}

await (work === "salvage" ? salvage() : dump())
