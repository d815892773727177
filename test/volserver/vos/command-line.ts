/**
 * The short way of reading a command line must not mean anything else than yargs: whatever it takes upon itself is compared
 * with what yargs makes of the same words.
 */
import test from "ava"
import { moduleOf } from "../../../volserver/cli.ts"
import { ownValues } from "../../../volserver/vos/check-values.ts"
import { readCommandLine } from "../../../volserver/vos/command-line.ts"
import { vosCommands } from "../../../volserver/vos/commands.ts"
import type { Values } from "../../../volserver/vos/run.ts"
import { type AnyVosCommand, commonOptions } from "../../../volserver/vos/vos-command.ts"
import { parseInProcess } from "../../support/in-process-cli.ts"
import { seededRandom } from "../../support/random.ts"

/** What yargs reads; an Error for words that it refuses. */
async function byYargs(command: AnyVosCommand, words: readonly string[]): Promise<Values | Error> {
  let found: Values | Error = new Error("nothing was run")
  const module = moduleOf(command)
  const handler = (values: Values): void => {
    found = values
  }
  const told: typeof module = { ...module, handler }
  try {
    await parseInProcess(told as Parameters<typeof parseInProcess>[0], words)
  } catch (error) {
    found = error instanceof Error ? error : new Error(String(error))
  }
  return found
}

const load = (name: string): Promise<AnyVosCommand> => {
  const row = vosCommands[name]
  if (row === undefined) throw new Error(`no subcommand ${name}`)
  return row.load()
}

test("usual command lines are read without yargs, and mean what yargs says", async (t) => {
  const lines = [
    "dump home.ann --file /tmp/ann.dump --partition /vicepa --clone --state-dir /run/x",
    "dump 536870912 --time=0 --file=- --json",
    "restore --name home.ann2 --file=ann.dump --id 536870999 --overwrite full --partition a --partition b",
    "backup home.ann --quiet --offline",
    "listvol --partition /vicepa --json",
    "setfields home.ann --maxquota 5000 --offline",
    "rename old --newname new",
  ]
  for (const line of lines) {
    const [name = "", ...words] = line.split(" ")
    const command = await load(name)
    const values = readCommandLine(command, words)
    if (values === undefined) t.true(name === "rename" || name === "setfields", line)
    else
      t.deepEqual(ownValues(command, values), ownValues(command, (await byYargs(command, [name, ...words])) as Values))
  }
})

test("what is wrong, or could mean something else, is left to yargs", async (t) => {
  const command = await load("dump")
  const lines = [
    "home.ann --nonsense",
    "home.ann other",
    "home.ann --file",
    "home.ann --clone false",
    "home.ann --no-clone",
    "home.ann --help",
    "home.ann -h",
    "--partition /vicepa home.ann",
    "home.ann --volume other",
    "home.ann --file a --file b",
    "-- home.ann",
    "home.ann --stateDir /x",
  ]
  for (const line of lines) t.is(readCommandLine(command, line.split(" ")), undefined, line)
  t.is(readCommandLine(await load("restore"), ["--id", "0x10"]), undefined)
  t.is(readCommandLine(await load("restore"), ["--overwrite", "perhaps"]), undefined)
})

test("random words: whatever is read without yargs is read alike by yargs", async (t) => {
  const random = seededRandom(t)
  const names = Object.keys(vosCommands)
  const plain = ["home.ann", "536870912", "0", "-", "a b", "x=y", "/vicepa", "full", "true", "", "-1", "--", "1e3"]
  let read = 0
  for (let round = 0; round < 400; round++) {
    const name = random.pick(names)
    const command = await load(name)
    const options = Object.keys({ ...command.options, ...commonOptions })
    const words = Array.from({ length: random.below(6) }, () => {
      const option = random.pick(options)
      return random.pick([`--${option}`, `--${option}=${random.pick(plain)}`, random.pick(plain), random.pick(plain)])
    })
    const values = readCommandLine(command, words)
    if (values === undefined) continue
    read++
    const wanted = await byYargs(command, [name, ...words])
    t.false(wanted instanceof Error, `${name} ${JSON.stringify(words)}: ${wanted}`)
    if (!(wanted instanceof Error)) t.deepEqual(ownValues(command, values), ownValues(command, wanted), words.join(" "))
  }
  t.true(read > 20, `${read}`)
})
