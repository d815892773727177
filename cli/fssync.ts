/** `dafs fssync`: asks the fileserver about volumes and tells it what to do with them, like OpenAFS's dafssync-debug. */
import type { Argv, CommandModule } from "yargs"
import { type Column, printJson, printTable } from "../common/cli/output.ts"
import { stateDirectoryOf } from "../common/cli/place-options.ts"
import { readPlainWords } from "../common/cli/plain-words.ts"
import { untilStopped } from "../common/cli/stopping.ts"
import { attachModes, programTypeName, programTypes } from "../common/protocol/codes.ts"
import { generations } from "../common/volume/volume-lru.ts"
import { volumeStateOf } from "../common/volume/volume-state.ts"
import { reasonName, requireOk } from "../fssync/answer-meaning.ts"
import type { RequestFields, SyncReply } from "../fssync/client.ts"
import { type CommandRow, fssyncRows } from "../fssync/command-table.ts"
import { fssyncSocketName } from "../fssync/fileserver-link.ts"
import { FssyncClient } from "../fssync/fssync-client.ts"
import { fssyncCommands, nameIn, responses } from "../fssync/message.ts"
import type { VolumeRow } from "../fssync/payload.ts"
import { impatientRule } from "../fssync/retry-rule.ts"
import { type Waiting, waitingText } from "../fssync/waiting.ts"
import { formatFacts, plainPayload, vnodeFacts } from "./fssync-facts.ts"
import {
  addressOf,
  checkNumbers,
  commonFields,
  defaults,
  modeOf,
  numberOf,
  type Option,
  optionsOf,
  partitionNameOf,
  usage,
  type Wanted,
} from "./fssync-options.ts"

function openClient(wanted: Wanted): FssyncClient {
  const path = `${stateDirectoryOf(wanted)}/${fssyncSocketName}`
  const programType = numberOf(wanted.programtype, programTypes, "programtype")
  const timeoutMs = wanted.timeout === undefined ? undefined : wanted.timeout * 1000
  const onWait = (waiting: Waiting): void => void process.stderr.write(`dafs: ${waitingText(waiting)}\n`)
  return new FssyncClient({ path, programType, rule: impatientRule, timeoutMs, onWait })
}

/** "volume 5 on /vicepa", as far as it was said. */
function aboutWhat({ volumeid, child, partition }: Wanted): string {
  const volume = volumeid === 0 && child === 0 ? "" : `volume ${volumeid === 0 ? child : volumeid}`
  return [volume, partition === "" ? "" : `on ${partitionNameOf(partition)}`].filter((word) => word !== "").join(" ")
}

/** The volume that a command was about; members of groups come with their group. */
function subjectOf({ volumeid, child, parent }: Wanted, command: string): object {
  const isMember = command === fssyncRows.VG_ADD.name || command === fssyncRows.VG_DEL.name
  return isMember ? { volume: child, parent } : { volume: volumeid }
}

/** Prints an answer: what was asked, how it ended, and what it carries. */
function printReply(wanted: Wanted, command: string, { response, reason, payload }: SyncReply<unknown>): void {
  const [how, why] = [nameIn(responses, response), reasonName(reason)]
  if (wanted.json) {
    const head = {
      type: "fssync",
      command,
      ...subjectOf(wanted, command),
      partition: partitionNameOf(wanted.partition),
      response: how,
      reason: why,
    }
    printJson(payload === undefined ? head : { ...head, ...plainPayload(payload) })
  } else if (payload === undefined) {
    const about = aboutWhat(wanted)
    process.stdout.write(`${about === "" ? "" : `${about}: `}${command} ${how}${reason === 0 ? "" : ` ${why}`}\n`)
  } else {
    process.stdout.write(formatFacts(payload))
  }
}

function requireAnswer<T>(wanted: Wanted, command: string, reply: SyncReply<T>): SyncReply<T> {
  const id = wanted.volumeid === 0 ? wanted.child : wanted.volumeid
  const volume = id === 0 ? undefined : id
  const partition = wanted.partition === "" ? undefined : partitionNameOf(wanted.partition)
  return requireOk(reply, command, { volume, partition })
}

async function send<T>(client: FssyncClient, wanted: Wanted, row: CommandRow<T>, fields: RequestFields) {
  return requireAnswer(wanted, row.name, await client.call(row, fields))
}

/** One subcommand. */
interface Subcommand {
  readonly names: readonly string[]
  readonly describe: string
  /** Options without which it makes no sense, */
  readonly needs: readonly Option[]
  /** and others that it understands. */
  readonly takes: readonly Option[]
  readonly run: (client: FssyncClient, wanted: Wanted) => Promise<void>
}

/** A subcommand that sends one request and prints its answer. */
function simple<T>(
  names: readonly string[],
  describe: string,
  row: CommandRow<T>,
  needs: readonly Option[] = ["volumeid"],
  takes: readonly Option[] = ["partition"],
  fields: (wanted: Wanted) => RequestFields = commonFields,
): Subcommand {
  const run = async (client: FssyncClient, wanted: Wanted): Promise<void> =>
    printReply(wanted, row.name, await send(client, wanted, row, fields(wanted)))
  return { names, describe, needs, takes, run }
}

const member = (wanted: Wanted): RequestFields => ({
  ...commonFields(wanted),
  volume: wanted.child,
  parent: wanted.parent,
})

const simpleCommands: readonly Subcommand[] = [
  simple(["online"], "Give a volume back: it may be attached again", fssyncRows.VOL_ON, ["volumeid", "partition"]),
  simple(["offline"], "Take a volume offline", fssyncRows.VOL_OFF),
  simple(
    ["mode", "needvolume"],
    "Check a volume out in an attach mode",
    fssyncRows.VOL_NEEDVOLUME,
    ["volumeid", "mode"],
    ["partition"],
    (wanted) => ({ ...commonFields(wanted), reason: modeOf(wanted.mode) }),
  ),
  simple(["detach"], "Say that a volume has been deleted", fssyncRows.VOL_DONE),
  simple(["callback", "cbk"], "Break all callbacks on a volume", fssyncRows.VOL_BREAKCBKS),
  simple(
    ["move"],
    "Tell clients that a volume has moved to another server",
    fssyncRows.VOL_MOVE,
    ["volumeid"],
    ["partition", "address"],
    (wanted) => ({ ...commonFields(wanted), reason: addressOf(wanted.address) }),
  ),
  simple(["list", "ls"], "See whether a fileserver answers", fssyncRows.VOL_LISTVOLUMES, [], ["volumeid", "partition"]),
  simple(["leaveoff"], "Give a volume back that stays offline", fssyncRows.VOL_LEAVE_OFF),
  simple(["error"], "Put a volume into error, or have it salvaged (--reason SALVAGE)", fssyncRows.VOL_FORCE_ERROR, [
    "volumeid",
    "partition",
  ]),
  simple(["query", "qry"], "Show a volume as the fileserver has it", fssyncRows.VOL_QUERY),
  simple(["header", "hdr"], "Show the volume information in the fileserver's memory", fssyncRows.VOL_QUERY_HDR),
  simple(["volop", "vop"], "Show who has a volume checked out", fssyncRows.VOL_QUERY_VOP),
  simple(["vgcquery", "vgcqry"], "Show the members of a volume group", fssyncRows.VG_QUERY, ["volumeid", "partition"]),
  simple(["vgcadd"], "Add a member to a volume group", fssyncRows.VG_ADD, ["parent", "child", "partition"], [], member),
  simple(["vgcdel"], "Remove a member from its group", fssyncRows.VG_DEL, ["child", "partition"], ["parent"], member),
  simple(["vgcscan"], "Read a partition's volume headers again", fssyncRows.VG_SCAN, ["partition"], []),
  simple(["vgcscanall"], "Read the volume headers of all partitions again", fssyncRows.VG_SCAN_ALL, [], []),
  simple(["status"], "Show the fileserver itself", fssyncRows.SERVER_STATUS, [], []),
]

async function showVnode(client: FssyncClient, wanted: Wanted): Promise<void> {
  const fields = { ...commonFields(wanted), vnode: wanted.vnodeid, unique: wanted.unique }
  const reply = await send(client, wanted, fssyncRows.VOL_QUERY_VNODE, fields)
  const payload = reply.payload === undefined ? undefined : vnodeFacts(reply.payload)
  printReply(wanted, fssyncRows.VOL_QUERY_VNODE.name, { ...reply, payload })
}

/** VOL_ATTACH only makes a volume known; a use by nobody in particular then attaches it. */
async function attach(client: FssyncClient, wanted: Wanted): Promise<void> {
  const { volume, partition, reason } = commonFields(wanted)
  const registered = await send(client, wanted, fssyncRows.VOL_ATTACH, { volume, partition, reason })
  // OpenAFS's fileserver has no such use: there the next client attaches the volume
  if (!wanted["only-register"] && client.client.form !== "openafs") {
    await send(client, wanted, fssyncRows.VOL_GET, { volume, partition })
    await send(client, wanted, fssyncRows.VOL_PUT, { volume, partition })
  }
  printReply(wanted, fssyncRows.VOL_ATTACH.name, registered)
}

/** Resolves after so many seconds, or when the command is stopped. */
async function held(seconds: number, stopped: Promise<unknown>): Promise<void> {
  let timer: NodeJS.Timeout | undefined
  const over = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, seconds * 1000)
  })
  await Promise.race([over, stopped])
  clearTimeout(timer)
}

async function get(client: FssyncClient, wanted: Wanted): Promise<void> {
  if (!(wanted.hold >= 0 && wanted.hold <= holdMax))
    throw usage(`--hold: a number of seconds up to ${holdMax} is wanted`)
  const { volume, partition } = commonFields(wanted)
  const stopped = wanted.hold > 0 ? untilStopped() : undefined
  const reply = await send(client, wanted, fssyncRows.VOL_GET, { volume, partition })
  printReply(wanted, fssyncRows.VOL_GET.name, reply)
  if (stopped !== undefined) await held(wanted.hold, stopped)
  await send(client, wanted, fssyncRows.VOL_PUT, { volume, partition })
}

/** Longest time of a timer: 24 days. */
const holdMax = 2_147_483

const columns: readonly Column<VolumeRow>[] = [
  { title: "VOLUME", value: (row) => row.volume, align: "right" },
  { title: "PARTITION", value: (row) => row.partition },
  { title: "STATE", value: (row) => volumeStateOf(row.attach_state) ?? row.attach_state },
  { title: "USERS", value: (row) => row.nUsers, align: "right" },
  { title: "CLIENTS GET", value: (row) => (row.specialStatus === 0 ? undefined : reasonName(row.specialStatus)) },
  {
    title: "CHECKED OUT BY",
    value: ({ pending_vol_op: operation }) => (operation === undefined ? undefined : owner(operation)),
  },
]

function owner({ command, reason, programType, pid }: NonNullable<VolumeRow["pending_vol_op"]>): string {
  const isMode = command === fssyncCommands.VOL_NEEDVOLUME
  return `${programTypeName(programType)} (pid ${pid}), ${isMode ? nameIn(attachModes, reason) : `OFF ${reasonName(reason)}`}`
}

async function listVolumes(client: FssyncClient, wanted: Wanted): Promise<void> {
  const { payload = [] } = await send(client, wanted, fssyncRows.VOL_LIST, {
    partition: partitionNameOf(wanted.partition),
  })
  if (wanted.json) printJson({ type: "volumes", volumes: payload.map(withNames) })
  else printTable(payload, columns)
}

const withNames = (row: VolumeRow) => ({ ...row, state: volumeStateOf(row.attach_state) })

const ownCommands: readonly Subcommand[] = [
  {
    names: ["attach"],
    describe: "Make a volume known and attach it",
    needs: ["volumeid", "partition"],
    takes: ["only-register"],
    run: attach,
  },
  {
    names: ["get"],
    describe: "Use a volume as a client does, which attaches it",
    needs: ["volumeid"],
    takes: ["partition", "hold"],
    run: get,
  },
  {
    names: ["listvolumes"],
    describe: "List all volumes with their states",
    needs: [],
    takes: ["partition"],
    run: listVolumes,
  },
  {
    names: ["vnode"],
    describe: "Show a vnode in the fileserver's memory",
    needs: ["volumeid", "vnodeid"],
    takes: ["unique", "partition"],
    run: showVnode,
  },
]

type Statistics = (client: FssyncClient, wanted: Wanted) => Promise<void>

function statistics<T>(row: CommandRow<T>, fields: (wanted: Wanted) => RequestFields): Statistics {
  return async (client, wanted) => printReply(wanted, row.name, await send(client, wanted, row, fields(wanted)))
}

const generalStatistics = statistics(fssyncRows.VOL_STATS_GENERAL, () => ({}))

/** Named as dafssync-debug names them. */
const subsystems: Readonly<Record<string, Statistics>> = {
  general: generalStatistics,
  pkg: generalStatistics,
  vicep: statistics(fssyncRows.VOL_STATS_VICEP, ({ partition }) => {
    if (partition === "") throw usage("stats vicep: --partition is wanted")
    return { partition: partitionNameOf(partition) }
  }),
  hash: statistics(fssyncRows.VOL_STATS_HASH, ({ bucket }) => ({ volume: bucket })),
  hdr: statistics(fssyncRows.VOL_STATS_HDR, () => ({})),
  vlru: statistics(fssyncRows.VOL_STATS_VLRU, ({ generation }) => ({
    volume: numberOf(generation, generations, "generation"),
  })),
}

const stats: Subcommand = {
  names: ["stats <subsystem>"],
  describe: "Show statistics: of the volume package, a partition, the volume table, the header cache, the VLRU",
  needs: [],
  takes: ["partition", "bucket", "generation"],
  run: async (client, wanted) => subsystems[wanted.subsystem]?.(client, wanted),
}

const subsystemOption = { choices: Object.keys(subsystems), demandOption: true } as const
const subcommands: readonly Subcommand[] = [...simpleCommands, ...ownCommands, stats]

async function run(command: Subcommand, given: Partial<Wanted>): Promise<void> {
  const wanted: Wanted = { ...defaults, ...given }
  checkNumbers(wanted)
  await using client = openClient(wanted)
  await command.run(client, wanted)
}

function moduleOf(command: Subcommand): CommandModule<object, Partial<Wanted>> {
  return {
    command: [...command.names],
    describe: command.describe,
    builder: (parser: Argv): Argv<Partial<Wanted>> =>
      (command === stats ? parser.positional("subsystem", subsystemOption) : parser).options(
        optionsOf(command.needs, command.takes),
      ),
    handler: (wanted) => run(command, wanted),
  }
}

/**
 * Runs a subcommand whose command line leaves no doubt. `words` are those after `fssync`.
 * @returns false if nothing was done: yargs has to read them
 */
export async function runPlainly([name = "", ...words]: readonly string[]): Promise<boolean> {
  const command = subcommands.find(({ names }) => names.some((usage) => usage.split(" ")[0] === name))
  if (command === undefined) return false
  const options = optionsOf(command.needs, command.takes)
  const wanted =
    command === stats
      ? readPlainWords<Partial<Wanted>>({ ...options, subsystem: subsystemOption }, words, ["subsystem"])
      : readPlainWords<Partial<Wanted>>(options, words)
  if (wanted !== undefined) await run(command, wanted)
  return wanted !== undefined
}

export const fssyncCommand: CommandModule = {
  command: "fssync",
  describe: "Ask the fileserver about volumes, or tell it what to do with them",
  builder(parser: Argv) {
    for (const command of subcommands) parser.command(moduleOf(command))
    return parser
      .strictCommands()
      .demandCommand(1, "Which command?")
      .example("$0 fssync listvolumes", "every volume and who has it checked out")
      .example("$0 fssync query --volumeid 536870915", "one volume in detail")
      .example("$0 fssync offline --volumeid 536870915 --partition a", "take it offline")
      .example("$0 fssync online --volumeid 536870915 --partition a", "and give it back")
  },
  handler: () => undefined,
}
