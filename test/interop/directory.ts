/** Directories that the suite has changed are sound to OpenAFS's salvager, and name what they named. */
import { readdirSync, readFileSync, statSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { Directory } from "../../common/directory/directory.ts"
import { pageSize, pageTag } from "../../common/directory/directory-page.ts"
import { runDasalvager } from "../support/dasalvager.ts"
import { unpackFixture } from "../support/fixture.ts"
import { type Random, seededRandom } from "../support/random.ts"
import { needsCell } from "../support/requirements.ts"
import { temporaryDirectory } from "../support/temporary-directory.ts"

/** Data files of directories below a partition. */
function directoryFiles(partition: string): string[] {
  const names = readdirSync(join(partition, "AFSIDat"), { recursive: true, encoding: "utf8" })
  const files = names.filter((name) => !name.includes("/special/")).map((name) => join(partition, "AFSIDat", name))
  return files.filter((file) => {
    if (!statSync(file).isFile() || statSync(file).size % pageSize !== 0 || statSync(file).size === 0) return false
    return readFileSync(file).readUInt16BE(2) === pageTag
  })
}

/** Takes names out and puts them in again, and up to `most` others in and out again; at the end it names the same. */
function churn(directory: Directory, random: Random, most: number): void {
  const entries = [...directory.entries()].filter(({ name }) => name[0] !== 0x2e)
  const taken = entries.filter(() => random.below(3) === 0)
  for (const entry of taken) directory.remove(entry.name)
  const own = directory.lookup(Buffer.from("."))
  if (own === undefined) throw new Error("a directory without .")
  const passing = Array.from({ length: random.below(most) }, (_, index) =>
    `${index} passing`.padEnd(random.below(255), "-"),
  )
  for (const name of passing) directory.add(Buffer.from(name), own)
  for (const entry of taken.toSorted(() => random.below(3) - 1)) directory.add(entry.name, entry)
  for (const name of passing) directory.remove(Buffer.from(name))
}

/** Changes a directory on the partition, as far as its length stays what the vnode's record says; true if it could. */
function churnFile(file: string, random: Random): boolean {
  for (const most of [200, 20, 2]) {
    const image = readFileSync(file)
    const directory = Directory.parse(Buffer.from(image), file)
    churn(directory, random, most)
    if (directory.length !== image.length || image.equals(directory.bytes)) continue
    writeFileSync(file, directory.bytes, { flag: "r+" })
    return true
  }
  return false
}

for (const fixture of ["tree", "names", "bigdir"] as const) {
  needsCell(`directory: dasalvager finds nothing in the changed directories of ${fixture}`, async (t) => {
    const random = seededRandom(t)
    const partition = temporaryDirectory(t)
    unpackFixture(fixture, partition, { encoding: "openafs" })
    const before = await runDasalvager(t, partition)
    const files = directoryFiles(partition)
    t.true(files.length > 3)
    const changed = files.filter((file) => churnFile(file, random))
    t.log(`${changed.length} of ${files.length} changed`)
    t.true(3 * changed.length > files.length)
    const after = await runDasalvager(t, partition)
    t.deepEqual(after.findings, before.findings)
    t.deepEqual(after.salvaged, before.salvaged)
    t.true(after.salvaged.length > 0)
  })
}
