/** A real OpenAFS cell in namespaces of its own, by way of test/openafs/cell. Up in about 6 s, down in half a second. */
import { rmSync } from "node:fs"
import { join } from "node:path"
import test, { type ExecutionContext } from "ava"
import { projectFile } from "./project.ts"
import { needsCell } from "./requirements.ts"
import { type Finished, outputOf, runProgram, type SpawnOptions } from "./spawned.ts"
import { makeTemporaryDirectory } from "./temporary-directory.ts"

const script = projectFile("test", "openafs", "cell")

/** A cell whose test is killed goes by itself. */
const environment = { CELL_OWNER: String(process.pid), CELL_TEMPORARY: "1" }

/** The servers of a cell; `fuse` is the client, whose tree is /afs inside the cell. */
export type Server = "vl" | "pt" | "sal" | "fs" | "vol" | "fuse"

/** The address of the server inside the cell. */
export const cellAddress = "10.99.0.1"

const allServers: readonly Server[] = ["vl", "pt", "sal", "fs", "vol"]

export interface Cell {
  /** The script itself: `script exec DIRECTORY PROGRAM` for those who spawn by themselves. */
  readonly script: string
  /** Where the state of the cell is: local/ (OpenAFS's server state, fssync.sock), log/, vicepa/, vicepb/. */
  readonly directory: string
  /** OpenAFS's server state directory, as seen from outside the cell. */
  readonly stateDirectory: string
  /** A partition's directory as seen from outside the cell; inside it is /vicepa or /vicepb. */
  partition(letter: "a" | "b"): string
  /** Runs a program inside; gives what it printed to stdout. @throws Error with all its output if it fails. */
  exec(program: string, ...args: string[]): Promise<string>
  /** Runs a program inside, whatever its status. */
  try(program: string, args: readonly string[], options?: SpawnOptions): Promise<Finished>
  /** `vos` without authentication. @throws Error with all its output if it fails. */
  vos(...args: string[]): Promise<string>
  /** Starts servers, each ready when the next is started. */
  start(...servers: Server[]): Promise<void>
  /** Starts a program of any kind as a server of that name; its output goes to log/NAME.out. */
  run(name: string, program: string, ...args: string[]): Promise<void>
  /** Ends servers in order, politely. */
  stop(...names: string[]): Promise<void>
  /** Ends servers at once, as a crash does. */
  kill(...names: string[]): Promise<void>
  pid(name: string): Promise<number>
  /** Id of a volume by its name. */
  volumeId(name: string): Promise<number>
  /** Creates a volume without quota whose root is open to everybody; gives its id. */
  createVolume(name: string, partition?: "a" | "b"): Promise<number>
  /** Ends every process of the cell; the directory stays. */
  down(): Promise<void>
}

async function volumeIdOf(vos: Cell["vos"], name: string): Promise<number> {
  const listing = await vos("examine", name, "-format", "-noauth")
  const id = /^id\s+(\d+)/m.exec(listing)?.[1]
  if (id === undefined) throw new Error(`vos examine ${name} names no id: ${listing}`)
  return Number(id)
}

function cellIn(directory: string): Cell {
  const call = async (verb: string, ...args: string[]): Promise<string> =>
    await outputOf(script, [verb, directory, ...args], { environment })
  const done = async (verb: string, ...args: string[]): Promise<void> => {
    await call(verb, ...args)
  }
  const vos: Cell["vos"] = (...args) => call("exec", "vos", ...args)
  return {
    script,
    directory,
    stateDirectory: join(directory, "local"),
    partition: (letter) => join(directory, `vicep${letter}`),
    exec: (program, ...args) => call("exec", program, ...args),
    try: (program, args, options) => runProgram(script, ["exec", directory, program, ...args], options),
    vos,
    start: (...servers) => done("start", ...servers),
    run: (name, program, ...args) => done("run", name, program, ...args),
    stop: (...names) => done("stop", ...names),
    kill: (...names) => done("kill", ...names),
    pid: async (name) => Number(await call("pid", name)),
    volumeId: (name) => volumeIdOf(vos, name),
    async createVolume(name, partition = "a") {
      await done("volume", name, partition)
      return await volumeIdOf(vos, name)
    },
    down: () => done("down"),
  }
}

async function bringUp(servers: readonly Server[]): Promise<Cell> {
  const directory = makeTemporaryDirectory()
  try {
    await outputOf(script, ["up", directory, ...(servers.length === 0 ? ["-"] : servers)], {
      environment,
    })
  } catch (error) {
    rmSync(directory, { recursive: true, force: true })
    throw error
  }
  return cellIn(directory)
}

async function takeAway(cell: Cell): Promise<void> {
  await cell.down()
  rmSync(cell.directory, { recursive: true, force: true })
}

/** Brings a cell up for one test. No servers named: none are started; see `wholeCell`. */
export async function startCell(
  t: Pick<ExecutionContext, "teardown" | "timeout">,
  ...servers: Server[]
): Promise<Cell> {
  t.timeout(120_000)
  const cell = await bringUp(servers)
  t.teardown(() => takeAway(cell))
  return cell
}

/**
 * One cell for all tests of a file, up before the first (none of it happens when all of them are skipped) and down after
 * the last. Call it while the file is loaded; call what it gives inside the tests.
 */
export function sharedCell(...servers: Server[]): () => Cell {
  let cell: Cell | undefined
  test.before("the cell comes up", async (t) => {
    t.timeout(120_000)
    if (needsCell.met) cell = await bringUp(servers)
  })
  test.after.always("the cell goes down", async () => {
    if (cell !== undefined) await takeAway(cell)
  })
  return () => {
    if (cell === undefined) throw new Error("the cell is not up")
    return cell
  }
}

/** All servers a cell needs for `vos`: location, protection, salvage, file and volume server. */
export const wholeCell = allServers
