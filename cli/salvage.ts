/** `dafs salvage`: asks the salvage server for salvages, like OpenAFS's `salvageserver -client` and salvsync-debug. */
import type { Argv, CommandModule, InferredOptionTypes, Options } from "yargs"
import { printJson } from "../common/cli/output.ts"
import { type PlaceArguments, placeOptions, stateDirectoryOf } from "../common/cli/place-options.ts"
import { readPlainWords } from "../common/cli/plain-words.ts"
import { AfsError } from "../common/error.ts"
import { programTypes } from "../common/protocol/codes.ts"
import { SyncClient, type SyncReply } from "../fssync/client.ts"
import { type CommandRow, salvsyncProtocol, salvsyncRows } from "../fssync/command-table.ts"
import { nameIn, responses, salvsyncReasons } from "../fssync/message.ts"
import type { SalvageStatus } from "../fssync/payload.ts"
import { impatientRule } from "../fssync/retry-rule.ts"
import { salvageStates } from "../salvager/schedule.ts"
import { partitionNameOf } from "./fssync-options.ts"
import { showHistory, showStatus } from "./salvage-jobs.ts"

type OptionTable = Readonly<Record<string, Options>>
type SalvageArguments = InferredOptionTypes<typeof requestOptions>

type Row = CommandRow<SalvageStatus>

/** How often a waiting request looks whether its salvage has ended. */
const pollMs = 250

function openClient(state: string): SyncClient {
  const sender = { programType: programTypes.debugUtility, pid: process.pid, thread: 0 }
  return new SyncClient({ path: `${state}/salvsync.sock`, protocol: salvsyncProtocol, sender, rule: impatientRule })
}

function requireOk(name: string, wanted: SalvageArguments, reply: SyncReply<SalvageStatus>): SalvageStatus {
  if (reply.response === responses.OK && reply.payload !== undefined) return reply.payload
  throw new AfsError(
    "DENIED",
    `salvage ${name}`,
    { volume: wanted.volumeid, partition: wanted.partition },
    {
      detail: `the salvage server answers ${nameIn(responses, reply.response)} (reason ${nameIn(salvsyncReasons, reply.reason)})`,
    },
  )
}

function print(wanted: SalvageArguments, status: SalvageStatus): void {
  const state = nameIn(salvageStates, status.state)
  if (wanted.json) {
    const { known, prio, sq_len, pq_len } = status
    const { volumeid: volume, partition } = wanted
    const own = volume === 0 ? {} : { volume, partition, known, state, prio }
    printJson({ ...own, sq_len, pq_len })
    return
  }
  const volume = wanted.volumeid === 0 ? "" : `volume ${wanted.volumeid}: ${known(status, state)}; `
  process.stdout.write(`${volume}${status.sq_len} waiting, ${status.pq_len} running\n`)
}

function known(status: SalvageStatus, state: string): string {
  return status.known ? `${state}, priority ${status.prio}` : "never asked for"
}

const usage = (detail: string): AfsError => new AfsError("USAGE", "salvage", {}, { detail })

/** Numbers that the protocol can carry, and that stand for volumes. @throws AfsError USAGE */
function checkNumbers(wanted: SalvageArguments, needs: readonly Need[]): void {
  for (const option of ["volumeid", "parent", "priority"] as const) {
    const value = wanted[option]
    const least = option !== "priority" && needs.includes(option) ? 1 : 0
    if (!Number.isInteger(value) || value < least || value > 0xffff_ffff)
      throw usage(`--${option}: a number from ${least} to 4294967295 is wanted`)
  }
  if (needs.includes("partition") && wanted.partition === "") throw usage("--partition: which one?")
}

/** Runs one command; where told to, waits until the salvage has ended. */
async function ask(name: string, row: Row, wanted: SalvageArguments): Promise<void> {
  const partition = partitionNameOf(wanted.partition)
  const fields = {
    volume: wanted.volumeid,
    parent: wanted.parent === 0 ? wanted.volumeid : wanted.parent,
    partition,
    vnode: wanted.priority,
    reason: salvsyncReasons.OPERATOR,
  }
  await using client = openClient(stateDirectoryOf(wanted))
  let status = requireOk(name, wanted, await client.call(row, fields))
  while (wanted.wait && (status.state === salvageStates.queued || status.state === salvageStates.salvaging)) {
    await new Promise((resolve) => setTimeout(resolve, pollMs))
    status = requireOk(name, wanted, await client.call(salvsyncRows.QUERY, fields))
  }
  print({ ...wanted, partition }, status)
  if (wanted.wait && status.state === salvageStates.error) {
    throw new AfsError(
      "VSALVAGE",
      "salvage",
      { volume: wanted.volumeid, partition },
      { detail: "the salvage failed; the salvage server's log says why" },
    )
  }
}

const json = { type: "boolean", default: false, describe: "one JSON document" } as const

const requestOptions = {
  ...placeOptions,
  partition: {
    type: "string",
    default: "",
    describe: "the partition: its directory, or a name as in /vicepa or a",
  },
  volumeid: { type: "number", default: 0, describe: "the volume" },
  parent: { type: "number", default: 0, describe: "link: the read-write volume of its group" },
  priority: { type: "number", default: 0, describe: "higher is sooner" },
  wait: { type: "boolean", default: false, describe: "wait until the salvage has ended" },
  json,
} as const satisfies OptionTable

/** One subcommand: what it takes, and what it does with that. */
interface Subcommand {
  readonly name: string
  readonly describe: string
  readonly options: OptionTable
  run(wanted: never): Promise<void>
}

type Need = "volumeid" | "partition" | "parent"

function request(name: string, describe: string, row: Row, needs: readonly Need[]): Subcommand {
  const needed = needs.map((need): [string, Options] => {
    const { default: _, ...option } = requestOptions[need]
    return [need, { ...option, demandOption: true }]
  })
  const options = { ...requestOptions, ...Object.fromEntries(needed) }
  const run = async (wanted: SalvageArguments): Promise<void> => {
    checkNumbers(wanted, needs)
    await ask(name, row, wanted)
  }
  return { name, describe, options, run }
}

const subcommands: readonly Subcommand[] = [
  request("request", "Salvage a volume's group", salvsyncRows.SALVAGE, ["volumeid", "partition"]),
  request("query", "How far the salvage of a volume is", salvsyncRows.QUERY, ["volumeid", "partition"]),
  request("priority", "Raise the priority of a salvage", salvsyncRows.RAISEPRIO, ["volumeid", "partition"]),
  request("cancel", "Take a waiting volume out of the queue", salvsyncRows.CANCEL, ["volumeid", "partition"]),
  request("cancelall", "Empty the queue", salvsyncRows.CANCELALL, []),
  request("link", "Let a clone stand for its group", salvsyncRows.LINK, ["volumeid", "partition", "parent"]),
  {
    name: "status",
    describe: "What waits, runs and has ended, and how far it is",
    options: {
      ...placeOptions,
      watch: { type: "boolean", default: false, describe: "go on until all have ended" },
      json: { ...json, describe: "one JSON document each time" },
    },
    run: (wanted: PlaceArguments & { watch: boolean; json: boolean }) => showStatus(stateDirectoryOf(wanted), wanted),
  },
  {
    name: "history",
    describe: "Salvages that have ended, also those of earlier salvage servers",
    options: {
      ...placeOptions,
      count: { type: "number", default: 50, describe: "at most so many, the latest" },
      json: { ...json, describe: "one JSON object a line" },
    },
    run: async (wanted: PlaceArguments & { count: number; json: boolean }) => {
      if (!Number.isInteger(wanted.count) || wanted.count < 1) throw usage("--count: a number of at least 1 is wanted")
      showHistory(stateDirectoryOf(wanted), wanted)
    },
  },
]

export const salvageCommand: CommandModule = {
  command: "salvage <command>",
  describe: "Ask the salvage server for salvages",
  builder: (parser: Argv) => {
    for (const { name, describe, options, run } of subcommands)
      parser.command(name, describe, options, (wanted) => run(wanted as never)) // as its own table has it
    return parser
      .demandCommand(1, "Which command?")
      .example("$0 salvage request --partition a --volumeid 536870918 --wait", "salvage a volume and wait for the end")
  },
  handler: () => undefined,
}

/**
 * Runs a subcommand whose command line leaves no doubt. `words` are those after `salvage`.
 * @returns false if nothing was done: yargs has to read them
 */
export async function runPlainly([name = "", ...words]: readonly string[]): Promise<boolean> {
  const command = subcommands.find((one) => one.name === name)
  const wanted = command && readPlainWords<never>(command.options, words)
  if (command === undefined || wanted === undefined) return false
  await command.run(wanted)
  return true
}
