/**
 * `dafs start`: the whole suite on a partition below one folder, for the first five minutes and for development. Makes
 * what is not there (partition, state, logs, a first volume), runs the three daemons as children and stops them cleanly.
 */
import { type ChildProcess, execFile, spawn } from "node:child_process"
import { existsSync, mkdirSync, openSync, readFileSync } from "node:fs"
import { dirname, join, relative, resolve } from "node:path"
import { fileURLToPath } from "node:url"
import { promisify } from "node:util"
import type { Argv, CommandModule } from "yargs"
import { fileserverPort } from "../client/fileserver.ts"
import { exitCodes } from "../common/cli/exit-codes.ts"
import { untilStopped } from "../common/cli/stopping.ts"
import { AfsError } from "../common/error.ts"
import { createPartition, listHeaderNames, openPartition, type Partition } from "../common/partition/partition.ts"
import type { Code } from "../common/protocol/codes.ts"
import { socketPathMax } from "../fssync/socket-path.ts"
import { fileserverSwitches } from "./node-switches.ts"

interface StartArguments {
  dir: string
  partition: string
  volume: string
  port: number
}

interface Folders {
  readonly partition: string
  readonly state: string
  readonly logs: string
}

const dafsProgram = fileURLToPath(new URL("./dafs.js", import.meta.url))
const projectFolder = resolve(dirname(dafsProgram), "../..")
/** In the order in which they start; they stop in the reverse order. */
const daemons = ["salvageserver", "fileserver", "volserver"] as const
type Daemon = (typeof daemons)[number]

interface Running {
  readonly child: ChildProcess
  /** UDP port at which it answers clients. */
  readonly port: number | undefined
}
const sockets: Readonly<Record<Daemon, string>> = {
  salvageserver: "salvsync.sock",
  fileserver: "fssync.sock",
  volserver: "volser.sock",
}
/** What everybody may do in the first volume: there is no protection server, so nobody has a name. */
const firstRights = "rlidwk"
const readyTimeoutMs = 30_000
const stopTimeoutMs = 60_000

/** @throws AfsError USAGE */
function requirePort(port: number): void {
  if (Number.isInteger(port) && port >= 0 && port <= 65_535) return
  throw new AfsError("USAGE", "start", {}, { detail: `--port ${port}: 0 to 65535 is wanted` })
}

function prepare(wanted: StartArguments): Folders {
  const root = resolve(wanted.dir)
  const folders = { partition: join(root, wanted.partition), state: stateFolder(root), logs: join(root, "log") }
  mkdirSync(root, { recursive: true })
  mkdirSync(folders.state, { recursive: true, mode: 0o700 })
  mkdirSync(folders.logs, { recursive: true })
  return folders
}

/** A socket's path is short (socket-path.ts): in a checkout that lies deep only its path from here may be short enough. */
function stateFolder(root: string): string {
  const state = join(root, "state")
  const isShort = Object.values(sockets).every((name) => Buffer.byteLength(join(state, name)) <= socketPathMax)
  return isShort ? state : shown(state)
}

/** The partition of an earlier run, or a new one: for development unless root runs it. */
function findPartition(path: string): Partition {
  if (existsSync(join(path, "AFSIDat"))) return openPartition(path)
  return createPartition(path, { development: process.geteuid?.() !== 0 })
}

function startDaemon(daemon: Daemon, folders: Folders, port: number): Promise<Running> {
  const log = join(folders.logs, `${daemon}.log`)
  const output = openSync(log, "a")
  const words = [dafsProgram, daemon, "--partition", folders.partition, "--state-dir", folders.state]
  if (daemon === "fileserver") {
    words.unshift(...fileserverSwitches)
    words.push("--port", String(port))
  }
  // A session of its own: Ctrl-C reaches this program only, which then stops the daemons in order.
  const child = spawn(process.execPath, words, { stdio: ["ignore", output, output, "ipc"], detached: true })
  return new Promise<Running>((resolve, reject) => {
    const failed = (why: string, code: Code = "UNREACHABLE"): void => {
      clearTimeout(timer)
      child.kill("SIGKILL")
      reject(new AfsError(code, `start ${daemon}`, { path: log }, { detail: why }))
    }
    const timer = setTimeout(() => failed(`not ready after ${readyTimeoutMs / 1000} s`), readyTimeoutMs)
    child.once("exit", (status, signal) => {
      const how = `it ended with ${signal ?? `status ${status}`}`
      failed(`${how}: ${lastLine(log)}`, status === exitCodes.busy ? "LOCKED" : undefined)
    })
    child.once("message", (message) => {
      clearTimeout(timer)
      child.removeAllListeners("exit")
      resolve({ child, port: portIn(message) })
    })
  })
}

/** What a daemon that could not start said last. */
const lastLine = (log: string): string => readFileSync(log, "utf8").trimEnd().split("\n").at(-1) ?? ""

/** The port in a daemon's message that it is ready. */
function portIn(message: unknown): number | undefined {
  const isReady = typeof message === "object" && message !== null && "port" in message
  return isReady && typeof message.port === "number" ? message.port : undefined
}

async function stopDaemon(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const ended = new Promise<void>((resolve) => child.once("exit", () => resolve()))
  const timer = setTimeout(() => child.kill("SIGKILL"), stopTimeoutMs)
  child.kill("SIGTERM")
  await ended
  clearTimeout(timer)
}

async function vos(folders: Folders, ...words: string[]): Promise<void> {
  const all = [dafsProgram, "vos", ...words, "--partition", folders.partition, "--state-dir", folders.state]
  await promisify(execFile)(process.execPath, all)
}

function shown(path: string): string {
  const short = relative(process.cwd(), path)
  return short.startsWith("..") ? path : short === "" ? "." : short
}

const volumesText = (count: number): string => (count === 1 ? "1 volume" : `${count} volumes`)

function describe(
  folders: Folders,
  partition: Partition,
  children: ReadonlyMap<Daemon, Running>,
  volume: string,
): string {
  const where = `--partition ${shown(folders.partition)} --state-dir ${shown(folders.state)}`
  const rows = daemons.map((daemon) => {
    const { child, port } = children.get(daemon) ?? {}
    const pid = String(child?.pid ?? "")
    const clients = port === undefined ? "" : `   AFS clients at UDP port ${port}`
    return `  ${daemon.padEnd(14)} pid ${pid.padEnd(8)} ${shown(join(folders.state, sockets[daemon]))}   log ${shown(join(folders.logs, `${daemon}.log`))}${clients}`
  })
  return [
    `dafs is running on ${shown(folders.partition)} (${partition.ownerEncoding} partition, ${volumesText(listHeaderNames(partition).length)})`,
    ...rows,
    "",
    "Try next, in another terminal:",
    `  npx dafs vos examine ${volume} ${where}`,
    `  npx dafs fssync listvolumes --state-dir ${shown(folders.state)}`,
    `  npx dafs vos dump ${volume} ${where} --file /tmp/${volume}.dump`,
    ...filesHints(children.get("fileserver")?.port, partition),
    "",
    "Ctrl-C stops all of them cleanly.",
    "",
  ].join("\n")
}

/** How to reach the files of the first volume without an AFS client. */
function filesHints(port: number | undefined, partition: Partition): string[] {
  const ids = listHeaderNames(partition).map(({ volume }) => volume)
  if (port === undefined || ids.length === 0) return []
  const [server, volume] = [port === fileserverPort ? "localhost" : `localhost:${port}`, Math.min(...ids)]
  return [
    `  npx dafs fs put ${server} README.md ${volume}:`,
    `  npx dafs fs ls ${server} ${volume}:`,
    `  npx dafs fs get ${server} ${volume}:README.md -`,
  ]
}

async function run(wanted: StartArguments): Promise<void> {
  requirePort(wanted.port)
  const stopping = untilStopped()
  const folders = prepare(wanted)
  const partition = findPartition(folders.partition)
  const children = new Map<Daemon, Running>()
  try {
    for (const daemon of daemons) children.set(daemon, await startDaemon(daemon, folders, wanted.port))
    if (listHeaderNames(partition).length === 0)
      await vos(folders, "create", "--name", wanted.volume, "--everybody", firstRights)
    process.stdout.write(describe(folders, partition, children, wanted.volume))
    const lost = [...children].map(([daemon, { child }]) => whenEnded(daemon, child))
    const reason = await Promise.race([stopping, ...lost])
    if (typeof reason !== "string") process.exitCode = 1
    process.stdout.write(`\nstopping (${typeof reason === "string" ? reason : reason.lost})\n`)
  } finally {
    for (const daemon of [...daemons].reverse()) {
      const running = children.get(daemon)
      if (running !== undefined) await stopDaemon(running.child)
    }
  }
  process.stdout.write("stopped: all volumes are detached\n")
}

/** Resolves when a daemon ends that nobody stopped. */
function whenEnded(daemon: Daemon, child: ChildProcess): Promise<{ lost: string }> {
  return new Promise((resolve) => {
    child.once("exit", (code, signal) => resolve({ lost: `${daemon} ended with ${signal ?? `status ${code}`}` }))
  })
}

export const startCommand: CommandModule<object, StartArguments> = {
  command: "start",
  describe: "Run the whole suite on a partition below a folder",
  builder: (parser: Argv): Argv<StartArguments> =>
    parser
      .option("dir", {
        type: "string",
        default: join(projectFolder, "run"),
        describe: "folder for partition, state and logs",
      })
      .option("partition", { type: "string", default: "vicepa", describe: "name of the partition in it" })
      .option("volume", { type: "string", default: "first", describe: "name of the first volume" })
      .option("port", {
        type: "number",
        default: Number(process.env["DAFS_PORT"] ?? 7000),
        describe: "UDP port at which the fileserver answers AFS clients",
      })
      .example("$0 start", "fileserver, volserver and salvageserver on run/vicepa"),
  handler: run,
}
