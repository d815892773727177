/** `dafs fileserver`: its options, named as dafileserver's where they mean the same. */
import type { Argv, CommandModule, Options } from "yargs"
import { openafsDirectories } from "../common/cell/directories.ts"
import { type DaemonArguments, daemonOptions, openDaemonLog } from "../common/cli/daemon-options.ts"
import { packageVersion } from "../common/cli/package-version.ts"
import { isInOpenafsPlace, stateDirectoryOf } from "../common/cli/place-options.ts"
import { runPlainWords } from "../common/cli/plain-words.ts"
import { announceReady, untilStopped } from "../common/cli/stopping.ts"
import { AfsError } from "../common/error.ts"
import { ethernetPacketSize } from "../common/protocol/rx-packet.ts"
import { parseHost } from "../common/rx/datagram-port.ts"
import { type SocketBackEnd, socketBackEnds } from "../common/rx/socket.ts"
import { defaultCheckoutsMax } from "../common/volume/handover.ts"
import type { ServingSync } from "../common/volume/serving-caches.ts"
import { type StoreSlack, usualSlack } from "../common/volume/volume-usage.ts"
import type { FileserverConfig } from "./main.ts"
import { promisesDefault, promisesLeast, promisesMost } from "./promise-store.ts"
import type { ChangesBy } from "./serving.ts"

interface FileserverArguments extends DaemonArguments {
  "config-dir": string | undefined
  cell: string | undefined
  port: number
  rxbind: string | undefined
  jumbo: boolean
  rxmaxmtu: number
  "socket-back-end": SocketBackEnd
  cb: number
  vlruthresh: number
  vlruinterval: number
  vlrumax: number
  vlrudisable: boolean
  "offline-timeout": number
  "offline-shutdown-timeout": number | undefined
  "lock-holdoff": number
  sync: ServingSync
  spare: number | undefined
  pctspare: number | undefined
  readonly: boolean
  "admin-write": boolean
  "checkouts-per-connection": number
}

/** Of the fileserver, in every cell. */
const afsPort = 7000
const portDefault = Number(process.env["DAFS_PORT"] ?? afsPort)
const portMax = 65_535
/** Packets per datagram where jumbograms are wanted. */
const jumbogramPackets = 4

const fileserverOptions = {
  ...daemonOptions,
  "config-dir": {
    type: "string",
    describe:
      "folder of ThisCell, CellServDB, UserList (default: OpenAFS's in its place; else none, and the server is of no cell)",
  },
  cell: { type: "string", describe: "name of the cell (default: ThisCell's)" },
  port: {
    type: "number",
    default: portDefault,
    describe: "UDP port that clients call; 0: any that is free (clients of a cell expect 7000)",
  },
  rxbind: { type: "string", describe: "IPv4 address to serve and register (default: all)" },
  jumbo: { type: "boolean", default: false, describe: "send jumbograms to clients that take them" },
  rxmaxmtu: {
    type: "number",
    default: ethernetPacketSize,
    describe: "largest packet in bytes; above 1444 for clients that take larger ones, where they pass",
  },
  "socket-back-end": {
    choices: socketBackEnds,
    default: "auto",
    describe: "how datagrams come and go: many at a time by the C library, or by Node",
  },
  cb: { type: "number", default: promisesDefault, describe: "callback promises that are kept at most" },
  vlruthresh: { type: "number", default: 120, describe: "minutes until an idle volume may be detached" },
  vlruinterval: { type: "number", default: 120, describe: "seconds between detaches of idle volumes" },
  vlrumax: { type: "number", default: 8, describe: "idle volumes to detach at a time" },
  vlrudisable: { type: "boolean", default: false, describe: "never detach idle volumes" },
  "offline-timeout": {
    type: "number",
    default: -1,
    describe: "seconds after which users of a volume that has to go offline are interrupted; -1: never",
  },
  "offline-shutdown-timeout": { type: "number", describe: "the same at the shutdown (default: the same)" },
  "lock-holdoff": {
    type: "number",
    default: 2,
    describe: "seconds until a volume that somebody had locked is tried again",
  },
  "checkouts-per-connection": {
    type: "number",
    default: defaultCheckoutsMax,
    describe: "volumes that one FSSYNC connection may keep offline",
  },
  sync: {
    choices: ["never", "onclose", "always"],
    default: "onclose",
    describe:
      "when clients' changes are on the platter: when the kernel likes, when files are closed, before the reply",
  },
  spare: { type: "number", describe: "KiB that a store may go beyond a quota (default: 1024)" },
  pctspare: { type: "number", describe: "the same, in hundredths of the quota" },
  readonly: { type: "boolean", default: false, describe: "take no changes from clients" },
  "admin-write": {
    type: "boolean",
    default: false,
    describe: "with --readonly: take those of members of system:administrators",
  },
} as const satisfies Readonly<Record<string, Options>>

const shown = [
  "port",
  "sync",
  "vlruthresh",
  "vlruinterval",
  "vlrumax",
  "vlrudisable",
  "offline-timeout",
  "offline-shutdown-timeout",
  "lock-holdoff",
  "checkouts-per-connection",
] as const satisfies readonly (keyof FileserverArguments)[]

function requireAtLeast(least: number, wanted: FileserverArguments, ...names: (keyof FileserverArguments)[]): void {
  for (const name of names) {
    const value = wanted[name]
    if (typeof value !== "number" || value >= least) continue
    throw new AfsError("USAGE", "fileserver", {}, { detail: `--${name} ${value}: at least ${least} is wanted` })
  }
}

function requireAtMost(most: number, wanted: FileserverArguments, name: "cb"): void {
  const value = wanted[name]
  if (Number.isInteger(value) && value <= most) return
  throw new AfsError(
    "USAGE",
    "fileserver",
    {},
    { detail: `--${name} ${value}: a whole number up to ${most} is wanted` },
  )
}

function requirePlace({ port, rxbind }: FileserverArguments): void {
  const isPort = Number.isInteger(port) && port >= 0 && port <= portMax
  const detail = isPort ? `--rxbind ${rxbind}: an IPv4 address is wanted` : `--port ${port}: 0 to ${portMax} is wanted`
  if (isPort && (rxbind === undefined || parseHost(rxbind) !== undefined)) return
  throw new AfsError("USAGE", "fileserver", {}, { detail })
}

/** Seconds as OpenAFS gives them: negative stands for no limit. */
function limitMs(seconds: number | undefined): number | undefined {
  return seconds === undefined || seconds < 0 ? undefined : seconds * 1000
}

const configurationOf = (wanted: FileserverArguments): string | undefined =>
  wanted["config-dir"] ?? (isInOpenafsPlace(wanted) ? openafsDirectories.configuration : undefined)

/** One limit of two kinds: KiB, or hundredths of the quota. @throws AfsError USAGE for both */
function slackOf({ spare, pctspare }: FileserverArguments): StoreSlack {
  if (spare !== undefined && pctspare !== undefined)
    throw new AfsError("USAGE", "fileserver", {}, { detail: "--spare or --pctspare, not both" })
  if (pctspare !== undefined) return (quota) => Math.floor((quota * pctspare) / 100)
  return spare === undefined ? usualSlack : () => spare
}

/** @throws AfsError USAGE for what says nothing */
function changesOf(wanted: FileserverArguments): ChangesBy {
  if (wanted.readonly) return wanted["admin-write"] ? "administrators" : "nobody"
  if (!wanted["admin-write"]) return "everybody"
  throw new AfsError("USAGE", "fileserver", {}, { detail: "--admin-write says who may write in spite of --readonly" })
}

/** @throws AfsError USAGE for numbers that make no sense */
export function configOf(wanted: FileserverArguments): FileserverConfig {
  requireAtLeast(1, wanted, "vlruthresh", "vlruinterval", "vlrumax", "checkouts-per-connection")
  requireAtLeast(0, wanted, "lock-holdoff", "spare", "pctspare")
  requireAtLeast(promisesLeast, wanted, "cb")
  requireAtLeast(ethernetPacketSize, wanted, "rxmaxmtu")
  requireAtMost(promisesMost, wanted, "cb")
  requirePlace(wanted)
  const { vlruthresh, vlruinterval, vlrumax } = wanted
  return {
    partitions: wanted.partition,
    configurationDirectory: configurationOf(wanted),
    stateDirectory: stateDirectoryOf(wanted),
    cell: wanted.cell,
    address: wanted.rxbind,
    port: wanted.port,
    jumbograms: wanted.jumbo ? jumbogramPackets : 1,
    packetSizeMax: wanted.rxmaxmtu,
    socketBackEnd: wanted["socket-back-end"],
    promisesMax: wanted.cb,
    lru: !wanted.vlrudisable && { thresholdMs: vlruthresh * 60_000, intervalMs: vlruinterval * 1000, max: vlrumax },
    offlineTimeoutMs: limitMs(wanted["offline-timeout"]),
    offlineShutdownTimeoutMs: limitMs(wanted["offline-shutdown-timeout"]),
    lockHoldOffMs: wanted["lock-holdoff"] * 1000,
    sync: wanted.sync,
    slack: slackOf(wanted),
    changesBy: changesOf(wanted),
    checkoutsMax: wanted["checkouts-per-connection"],
    version: packageVersion(),
    options: shown.map((name) => ({ name, value: String(wanted[name] ?? "") })),
  }
}

async function run(wanted: FileserverArguments): Promise<void> {
  const config = configOf(wanted)
  const stopped = untilStopped()
  const log = openDaemonLog(wanted, "fileserver", "FileLog")
  const { serveVolumes } = await import("./main.ts")
  await serveVolumes(config, log, stopped, announceReady)
}

function addOptions(parser: Argv): Argv<FileserverArguments> {
  return parser
    .options(fileserverOptions)
    .example("$0 fileserver --openafs", "serve in place of dafileserver")
    .example("$0 fileserver --partition run/vicepa --state-dir run/state", "serve one partition")
    .epilogue("SIGTERM, SIGINT and SIGQUIT end it cleanly: every volume is detached.")
}

export const fileserverCommand: CommandModule<object, FileserverArguments> = {
  command: "fileserver",
  describe: "Run the fileserver",
  builder: addOptions,
  handler: run,
}

/** Runs what plain words say. @returns false if nothing was done: yargs has to read them */
export const runPlainly = (words: readonly string[]): Promise<boolean> => runPlainWords(fileserverOptions, words, run)
