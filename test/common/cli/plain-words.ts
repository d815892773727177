/**
 * The short way of reading a command line must not mean anything else than yargs: whatever it takes upon itself is compared
 * with what yargs makes of the same words. The tables are those of commands, and one with what they have in few places.
 */
import test, { type ExecutionContext } from "ava"
import { optionsOf } from "../../../cli/fssync-options.ts"
import { readPlainWords } from "../../../common/cli/plain-words.ts"
import { salvagerOptions } from "../../../salvager/salvager-cli.ts"
import { parseInProcess } from "../../support/in-process-cli.ts"
import { seededRandom } from "../../support/random.ts"

type Module = Parameters<typeof parseInProcess>[0]
type Table = ReturnType<typeof optionsOf>
type Read = Readonly<Record<string, unknown>>

interface Command {
  readonly usage: string
  readonly table: Table
  readonly positional: readonly string[]
}

const commands: readonly Command[] = [
  { usage: "salvager", table: salvagerOptions, positional: [] },
  { usage: "query", table: optionsOf(["volumeid"], ["partition", "only-register", "hold"]), positional: [] },
  {
    usage: "stats <subsystem> [partition]",
    table: {
      subsystem: { choices: ["general", "hash"], demandOption: true },
      partition: { type: "string" },
      volumeid: { type: "number", array: true, requiresArg: true },
      bucket: { type: "number", default: 0 },
      json: { type: "boolean", default: false },
    },
    positional: ["subsystem", "partition"],
  },
]

/** What yargs reads; undefined for words that it refuses. */
async function byYargs({ usage, table, positional }: Command, words: readonly string[]): Promise<Read | undefined> {
  let read: Read | undefined
  const module: Module = {
    command: usage,
    builder: (parser) => {
      const named = Object.entries(table).filter(([name]) => !positional.includes(name))
      const all = parser.options(Object.fromEntries(named))
      return positional.reduce((one, name) => one.positional(name, table[name] as object), all)
    },
    handler: (values) => {
      const all: Read = { ...values }
      read = Object.fromEntries(Object.keys(table).map((name) => [name, all[name]]))
    },
  }
  await parseInProcess(module, [usage.split(" ")[0] ?? "", ...words]).catch(() => undefined)
  return read
}

async function compare(t: ExecutionContext, command: Command, words: readonly string[]): Promise<boolean> {
  const values = readPlainWords<Read>(command.table, words, command.positional)
  if (values === undefined) return false
  t.deepEqual(values, await byYargs(command, words), `${command.usage}: ${JSON.stringify(words)}`)
  return true
}

test.serial("usual command lines are read without yargs, and mean what yargs says", async (t) => {
  const lines = [
    [0, "--partition /vicepa --partition /vicepb --force --orphans ignore --undo-days 0"],
    [1, "--volumeid 536870912 --partition=a --json --hold 3 --only-register"],
    [1, "--volumeid=5 --reason SALVAGE --programtype volumeServer --timeout 10"],
    [2, "general --json"],
    [2, "hash a --bucket 7 --volumeid 5"],
    [2, "hash --volumeid 5 --volumeid 6"],
  ] as const
  for (const [index, line] of lines) {
    const command = commands[index]
    t.true(command !== undefined && (await compare(t, command, line.split(" "))), line)
  }
})

test("what is wrong, or could mean something else, is left to yargs", (t) => {
  const lines = [
    [0, "--no-force"],
    [0, "--force=false"],
    [0, "-f"],
    [0, "--partition="],
    [0, "--undo='list'"],
    [0, '--partition="/vicepa"'],
    [1, "--partition a"],
    [1, "--volumeid 1e3"],
    [1, "--volumeid 1 --volumeid 2"],
    [1, "--volumeid 1 word"],
    [1, "--volumeid 1 --partition"],
    [1, "--volumeid 1 --help"],
    [2, ""],
    [2, "vlru"],
    [2, "--volumeid 5 hash"],
    [2, "hash --volumeid 5 word"],
    [2, "hash a b"],
    [2, "--subsystem hash"],
    [2, "-- hash"],
  ] as const
  for (const [index, line] of lines) {
    const { table = {}, positional = [] } = commands[index] ?? {}
    t.is(readPlainWords(table, line === "" ? [] : line.split(" "), positional), undefined, line)
  }
})

test.serial("random words: whatever is read without yargs is read alike by yargs", async (t) => {
  const random = seededRandom(t)
  const plain = [
    "general",
    "hash",
    "5",
    "0",
    "007",
    "-",
    "a b",
    "x=y",
    "'q'",
    '"q"',
    "/vicepa",
    "ignore",
    "true",
    "",
    "-1",
    "--",
    "1e3",
  ]
  let read = 0
  for (let round = 0; round < 500; round++) {
    const command = random.pick(commands)
    const options = Object.keys(command.table)
    const words = Array.from({ length: random.below(6) }, () => {
      const option = random.pick(options)
      return random.pick([`--${option}`, `--${option}=${random.pick(plain)}`, random.pick(plain)])
    })
    if (await compare(t, command, words)) read++
  }
  t.true(read > 10, `${read}`)
})
