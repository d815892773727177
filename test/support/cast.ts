/** Who does what in a cell: fileserver, volume operations and salvages, each ours or OpenAFS's. */
import { type Cell, cellAddress } from "./cell.ts"
import { builtProgram } from "./project.ts"

export type Side = "ours" | "theirs"
export const sides: readonly Side[] = ["ours", "theirs"]

export interface Cast {
  readonly fileserver: Side
  readonly operations: Side
  readonly salvages: Side
}

const dafs = [process.execPath, builtProgram("cli/dafs.ts")]
const state = "/var/lib/openafs/local"
/** Our volserver, beside OpenAFS's, which answers OpenAFS's vos. */
const ownVolserver = "ourvol"

const tools = `dafs() { ${dafs.join(" ")} "$@"; }; debug() { timeout 20 dafssync-debug "$@" 2>&1; }`

/** Runs a script inside the cell; `dafs` and `debug` are ours and OpenAFS's tools. @throws Error with all its output */
export async function shell(cell: Cell, script: string): Promise<string> {
  return await cell.exec("bash", "-euo", "pipefail", "-c", `${tools}\n${script}`)
}

/** Runs a script inside the cell while `work` lasts; then all its processes are killed. */
export async function during(cell: Cell, script: string, work: () => Promise<unknown>): Promise<void> {
  await cell.run("background", "bash", "-c", `${tools}\n${script}`)
  const leader = await cell.pid("background")
  try {
    await work()
  } finally {
    await cell.exec("bash", "-c", `kill -KILL -- -${leader} 2>&1; true`)
    await cell.stop("background")
  }
}

/** Waits in the cell until a condition of the shell holds. */
export const until = (cell: Cell, condition: string): Promise<string> =>
  shell(
    cell,
    `end=$((SECONDS+40)); until ${condition}; do [ $SECONDS -lt $end ] || { echo "never: ${condition.replaceAll('"', "'")}"; exit 1; }; sleep 0.05; done`,
  )

async function startOurs(cell: Cell, name: string, socket: string, ...words: string[]): Promise<void> {
  await cell.exec("rm", "-f", `${state}/${socket}`)
  await cell.run(name, ...(dafs as [string, string]), ...words)
  await until(cell, `[ -S ${state}/${socket} ]`)
}

export const startSalvages = (cell: Cell, { salvages }: Cast): Promise<void> =>
  salvages === "ours" ? startOurs(cell, "sal", "salvsync.sock", "salvageserver") : cell.start("sal")

export async function startFileserver(cell: Cell, { fileserver }: Cast): Promise<void> {
  if (fileserver === "theirs") return await cell.start("fs")
  const log = "/var/log/openafs/FileLog"
  await cell.exec("rm", "-f", log)
  await startOurs(cell, "fs", "fssync.sock", "fileserver", "--openafs", "--port", "7000")
  await until(cell, `grep -qs "fileserver ready" ${log}`)
}

/** OpenAFS's volserver is there in any case. */
export async function startOperations(cell: Cell, { operations }: Cast): Promise<void> {
  if (operations === "ours") await startOurs(cell, ownVolserver, "volser.sock", "volserver")
}

export async function stopOperations(cell: Cell, { operations }: Cast): Promise<void> {
  await cell.stop("vol")
  if (operations === "ours") await cell.stop(ownVolserver)
}

export async function crashVolserver(cell: Cell, cast: Cast): Promise<void> {
  await cell.kill(cast.operations === "ours" ? ownVolserver : "vol")
  if (cast.operations === "ours") await startOperations(cell, cast)
  else await cell.start("vol")
}

/** The work of an administrator, as shell commands. */
interface Operations {
  readonly create: (name: string) => string
  readonly backup: (name: string) => string
  readonly dump: (name: string, file: string) => string
  readonly restore: (name: string, file: string) => string
  readonly release: (name: string) => string
  readonly offlineAndOnline: (name: string) => string
  /** Has the volume for a minute. */
  readonly hold: (name: string) => string
  /** To the other partition; `id` and `file` are for those who have to go by way of a dump. */
  readonly move: (name: string, id: number, file: string) => string
  readonly remove: (name: string) => string
}

const site = `${cellAddress} a`

export const operationsOf: Readonly<Record<Side, Operations>> = {
  theirs: {
    create: (name) => `vos create ${site} ${name} -noauth`,
    backup: (name) => `vos backup ${name} -noauth`,
    dump: (name, file) => `vos dump ${name} -file ${file} -noauth`,
    restore: (name, file) => `vos restore ${site} ${name} -file ${file} -noauth`,
    release: (name) => `vos addsite ${site} ${name} -noauth; vos release ${name} -noauth`,
    offlineAndOnline: (name) => `vos offline ${site} ${name} -noauth; vos online ${site} ${name} -noauth`,
    hold: (name) => `vos offline ${site} ${name} -busy -sleep 60 -noauth`,
    move: (name) => `vos move ${name} ${site} ${cellAddress} b -noauth`,
    remove: (name) => `vos remove -id ${name} -noauth`,
  },
  ours: {
    create: (name) => `dafs vos create --volserver --name ${name} --partition /vicepa`,
    backup: (name) => `dafs vos backup --volserver ${name}`,
    dump: (name, file) => `dafs vos dump ${name} --file ${file}`,
    restore: (name, file) => `dafs vos restore --name ${name} --file ${file} --partition /vicepa`,
    release: (name) => `dafs vos release ${name}`,
    offlineAndOnline: (name) => `dafs vos offline ${name}; dafs vos online ${name}`,
    hold: (name) => `dafs vos offline ${name} --volserver --busy --sleep 60`,
    move: (name, id, file) =>
      [
        `dafs vos dump ${name} --file ${file}`,
        `dafs vos remove ${name}`,
        `dafs vos restore --name ${name} --id ${id} --file ${file} --partition /vicepb`,
      ].join("\n"),
    remove: (name) => `dafs vos remove ${name}`,
  },
}

/** A condition: what dafssync-debug says of a volume's state. */
export const isState = (id: number, wanted: string): string =>
  `debug query -volumeid ${id} | grep -q 'attach_state.*${wanted}'`

/** Conditions: nobody, or somebody, has the volume checked out. */
export const isGivenBack = (id: number): string => `debug volop -volumeid ${id} | grep -q NO_PENDING_VOL_OP`
export const isCheckedOut = (id: number): string => `! ${isGivenBack(id)}`
