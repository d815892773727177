/** Plain command lines of `dafs salvager` mean what yargs takes them to mean. */
import test from "ava"
import yargs from "yargs"
import { readPlainWords } from "../../common/cli/plain-words.ts"
import { salvagerOptions } from "../../salvager/salvager-cli.ts"

function asYargsReads(words: readonly string[]): Record<string, unknown> {
  const read: Record<string, unknown> = yargs([...words])
    .options(salvagerOptions)
    .parseSync()
  return Object.fromEntries(Object.keys(salvagerOptions).map((name) => [name, read[name]]))
}

for (const line of [
  "",
  "--partition /vicepa",
  "--partition /vicepa --partition /vicepb --force",
  "--partition=/vicepa --volumeid=536870915 --json --progress --program-type salvageServer",
  "--nowrite --offline --showlog --logfile /tmp/log --salvagedirs",
  "--orphans ignore --undo list --undo-days 0 --undo-size 12 --parallel 3 --state-dir /tmp/state",
])
  test(`the words "${line}" are read as yargs reads them`, (t) => {
    const words = line.split(" ").filter((word) => word !== "")
    t.deepEqual({ ...readPlainWords(salvagerOptions, words) }, asYargsReads(words))
  })

for (const line of [
  "--help",
  "-f",
  "--dry-run",
  "--no-force",
  "--force true",
  "--force=false",
  "--partition /vicepa /vicepb",
  "--partition",
  "--volumeid 1e3",
  "--volumeid -1",
  "--orphans eat",
  "--parallel 1 --parallel 2",
  "--sync-form ours",
  "--what",
  "word",
])
  test(`the words "${line}" are left to yargs`, (t) =>
    t.is(readPlainWords(salvagerOptions, line.split(" ")), undefined))
