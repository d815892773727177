/**
 * A cell whose fileserver is ours, with OpenAFS's FUSE client on it, and what users do there. The work itself is done by
 * programs inside the cell: `git`, `tar`, `make`, and file-work.program.ts.
 */
import { cpSync, mkdirSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { setTimeout as delay } from "node:timers/promises"
import type { ExecutionContext } from "ava"
import type { GroupResult } from "../../salvager/salvage.ts"
import { type Cell, startCell } from "./cell.ts"
import { runDasalvager } from "./dasalvager.ts"
import { builtProgram } from "./project.ts"
import { salvageHere } from "./salvage-here.ts"
import { isAlive, runProgram } from "./spawned.ts"

/** The tree of the read-write volume root.cell inside the cell. */
export const cellTree = "/afs/.test.cell"
const noFindings: GroupResult["counts"] = { note: 0, repaired: 0, loss: 0, left: 0 }
const program = builtProgram("test/support/file-work.program.ts")
const dafs = builtProgram("cli/dafs.ts")

/** A cell with a volume root.cell that is open to everybody, and no fileserver yet. */
export async function cellWithRoot(t: ExecutionContext, minutes = 5): Promise<Cell> {
  const cell = await startCell(t, "vl", "pt", "sal", "fs", "vol")
  t.timeout(minutes * 60_000)
  await cell.createVolume("root.cell")
  await cell.stop("vol", "fs", "sal")
  return cell
}

/** With DAFS_ORACLE=1 OpenAFS's fileserver does the work instead: what fails then too is the client's. */
const isOracleAsked = process.env["DAFS_ORACLE"] === "1"

/** Each start has a log of its own. */
let starts = 0

/** Starts our fileserver in the place of OpenAFS's. */
export async function startOurs(cell: Cell, ...options: string[]): Promise<void> {
  if (isOracleAsked) return await startTheirs(cell)
  const log = join(cell.directory, "log", `ours-${starts++}.log`)
  await cell.run(
    "fs",
    process.execPath,
    dafs,
    "fileserver",
    "--openafs",
    "--port",
    "7000",
    "--logfile",
    log,
    ...options,
  )
  await cell.exec("timeout", "30", "sh", "-c", `until grep -qs "fileserver ready" ${log}; do sleep 0.05; done`)
}

/** Starts our salvage server, which a fileserver needs after a crash. */
export async function startSalvages(cell: Cell): Promise<void> {
  if (isOracleAsked) return
  await cell.run("sal", process.execPath, dafs, "salvageserver", "--partition", "/vicepa")
  await cell.exec(
    "timeout",
    "30",
    "sh",
    "-c",
    "until test -S /var/lib/openafs/local/salvsync.sock; do sleep 0.05; done",
  )
}

/** Starts OpenAFS's fileserver and what it needs. */
export async function startTheirs(cell: Cell): Promise<void> {
  await cell.stop("sal")
  await cell.start("sal", "fs")
}

/** A second client of the same machine: a cache, a mount point and an identity of its own. Its tree is /afs2. */
export async function startSecondClient(cell: Cell): Promise<void> {
  const configuration = join(cell.directory, "etc2")
  cpSync(join(cell.directory, "etc"), configuration, { recursive: true })
  mkdirSync(join(cell.directory, "cache2"), { recursive: true })
  writeFileSync(join(configuration, "cacheinfo"), `/afs2:${join(cell.directory, "cache2")}:50000\n`)
  await cell.exec("mkdir", "-p", "/afs2")
  await cell.run("fuse2", "afsd.fuse", "-f", "-dynroot", "-fakestat", "-confdir", configuration, "-mountdir", "/afs2")
  await cell.exec("timeout", "30", "sh", "-c", "until grep -q ' /afs2 fuse' /proc/mounts; do sleep 0.05; done")
}

/** Runs a shell script inside the cell. @throws Error with all its output if it fails */
export async function shell(cell: Cell, script: string): Promise<string> {
  return await whileClientLives(cell, () => cell.exec("bash", "-euo", "pipefail", "-c", script))
}

/**
 * What fails because OpenAFS's client has died is no failure of its server, and says so. afsd.fuse 1.8.9 dies now and then when
 * many ask it at a time: its threads count the references to credentials without a lock, and free them too early.
 */
class ClientDeath extends Error {}

/** @throws ClientDeath */
async function whileClientLives<T>(cell: Cell, work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    const death = await clientDeath(cell)
    throw death === undefined ? error : new ClientDeath(death, { cause: error })
  }
}

async function clientDeath(cell: Cell): Promise<string | undefined> {
  const pid = await cell.pid("fuse").catch(() => undefined)
  if (pid === undefined || isAlive(pid)) return undefined
  const kernel = (await runProgram("dmesg")).stdout.split("\n").filter((line) => line.includes("afsd.fuse["))
  return `OpenAFS's FUSE client has died (process ${pid}): ${kernel.at(-1) ?? "the kernel does not say why"}`
}

/** Does one work of file-work.program.ts in a folder of the client. */
export async function work(cell: Cell, name: string, folder: string, ...numbers: number[]): Promise<string> {
  return await whileClientLives(cell, async () => {
    await cell.exec("mkdir", "-p", folder)
    return await cell.exec(process.execPath, program, name, folder, ...numbers.map(String))
  })
}

/**
 * Does work of so many seconds. Where OpenAFS's client dies at it, that is told, and a new one does the rest in a folder of its
 * own, a few times at most.
 */
export async function longWork(
  t: ExecutionContext,
  cell: Cell,
  name: string,
  { seconds, seed }: { readonly seconds: number; readonly seed: number },
): Promise<void> {
  const end = Date.now() + 1000 * seconds
  for (let deaths = 0; Date.now() < end; deaths++) {
    try {
      await work(cell, name, `${cellTree}/${name}${deaths}`, Math.ceil((end - Date.now()) / 1000), seed + deaths)
      return
    } catch (error) {
      if (!(error instanceof ClientDeath) || deaths === 5) throw error
      t.log(error.message)
      await cell.stop("fuse")
      await cell.try("umount", ["-l", "/afs"])
      await cell.start("fuse")
      await awaitTree(cell)
    }
  }
}

/** What everything below a folder comes to, as the client reads it. */
export async function digestOf(cell: Cell, folder: string): Promise<string> {
  return (await work(cell, "digest", folder)).trim()
}

/** Waits until the client reaches the server again. */
export async function awaitTree(cell: Cell, tree = cellTree): Promise<void> {
  for (let tries = 0; tries < 600; tries++) {
    const { status } = await cell.try("timeout", ["5", "ls", tree])
    if (status === 0) return
    await delay(100)
  }
  throw new Error(`${tree} does not come back`)
}

/** The partition is sound for OpenAFS's salvager and for ours. No server may run. */
export async function requireSound(t: ExecutionContext, cell: Cell): Promise<void> {
  if (isOracleAsked) return
  const directory = cell.partition("a")
  const { findings, salvaged } = await runDasalvager(t, directory)
  t.deepEqual(findings, [], "dasalvager finds nothing")
  t.not(salvaged.length, 0)
  for (const { group, counts } of await salvageHere(directory)) {
    t.deepEqual({ group, ...counts }, { group, ...noFindings }, "nor does our salvager")
  }
}
