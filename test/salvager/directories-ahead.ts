/** Directories and records that are read while threads scan: what is found is the same as without threads. */
import test from "ava"
import type { Finding } from "../../salvager/finding.ts"
import { salvagePartition } from "../../salvager/salvage.ts"
import { manyFiles } from "../support/dump-builder.ts"
import { seededRandom } from "../support/random.ts"
import { damageAtRandom } from "../support/random-damage.ts"
import { temporaryDirectory } from "../support/temporary-directory.ts"
import { newPartition, volumeOf } from "../support/volume-builder.ts"

/** Enough for folders that threads share. */
const files = 7000
const rounds = 8
const damagesPerRound = 4
const claimant = { program: "salvager", fileserver: undefined } as const

test("threads: of a great volume with any damage the same is found with them as without", async (t) => {
  const random = seededRandom(t)
  const partition = newPartition(temporaryDirectory(t))
  await volumeOf(partition, "v.many", manyFiles(files, 100))
  const found = async (threads: number): Promise<string[]> => {
    const options = {
      readOnly: true,
      force: true,
      orphans: "attach",
      salvageDirs: false,
      now: () => 1_700_000_000,
    } as const
    const lines: string[] = []
    await salvagePartition(partition, { ...options, threads, claimant }, (event) => {
      if (event.type === "finding") lines.push(lineOf(event))
      else if (event.type === "group") lines.push(`${event.status} ${event.files} ${event.error?.message ?? ""}`)
    })
    return lines.sort()
  }
  t.deepEqual(await found(2), await found(1))
  for (let round = 0; round < rounds; round++) {
    const words = Array.from({ length: damagesPerRound }, () => damageAtRandom(partition.path, random).words)
    t.deepEqual(await found(2), await found(1), words.join("; "))
  }
})

const lineOf = ({ code, volume, vnode, unique, file, text, path }: Finding): string =>
  [code, volume, vnode, unique, file, text, path].join(" ")
