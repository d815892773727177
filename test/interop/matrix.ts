/**
 * Any of our processes in the place of OpenAFS's, on one partition and one pair of sockets: fileserver, volume operations and
 * salvages, each ours or theirs, while a FUSE client works on another volume all the while. Volumes are made, cloned,
 * dumped, restored, taken out and removed, salvaged on demand and by hand; each daemon is killed and started again. In the
 * end both salvagers find nothing, no checkout and no lock is left, and the client has lost nothing.
 */
import { readdirSync, readFileSync } from "node:fs"
import { join } from "node:path"
import type { ExecutionContext } from "ava"
import { type Cell, cellAddress, startCell } from "../support/cell.ts"
import { runDasalvager } from "../support/dasalvager.ts"
import { builtProgram } from "../support/project.ts"
import { needsCellAndFuse, needsCellAndPatience } from "../support/requirements.ts"
import { salvageHere } from "../support/salvage-here.ts"

type Side = "ours" | "theirs"
const sides: readonly Side[] = ["ours", "theirs"]

interface Cast {
  readonly fileserver: Side
  readonly operations: Side
  readonly salvages: Side
}

const dafs = [process.execPath, builtProgram("cli/dafs.ts")]
const state = "/var/lib/openafs/local"

/** Runs a script inside the cell; `dafs` and `debug` are ours and OpenAFS's tools. @throws Error with all its output */
async function shell(cell: Cell, script: string): Promise<string> {
  const head = `dafs() { ${dafs.join(" ")} "$@"; }; debug() { timeout 20 dafssync-debug "$@" 2>&1; }`
  return await cell.exec("bash", "-euo", "pipefail", "-c", `${head}\n${script}`)
}

/** Waits in the cell until a condition of the shell holds. */
const until = (cell: Cell, condition: string): Promise<string> =>
  shell(
    cell,
    `end=$((SECONDS+30)); until ${condition}; do [ $SECONDS -lt $end ] || { echo "never: ${condition.replaceAll('"', "'")}"; exit 1; }; sleep 0.05; done`,
  )

async function startOurs(cell: Cell, name: "fs" | "sal", socket: string, ...words: string[]): Promise<void> {
  await cell.exec("rm", "-f", `${state}/${socket}`)
  await cell.run(name, ...(dafs as [string, string]), ...words)
  await until(cell, `[ -S ${state}/${socket} ]`)
}

const startSalvages = (cell: Cell, { salvages }: Cast): Promise<void> =>
  salvages === "ours" ? startOurs(cell, "sal", "salvsync.sock", "salvageserver") : cell.start("sal")

async function startFileserver(cell: Cell, { fileserver }: Cast): Promise<void> {
  if (fileserver === "theirs") return await cell.start("fs")
  const log = "/var/log/openafs/FileLog"
  await cell.exec("rm", "-f", log)
  await startOurs(cell, "fs", "fssync.sock", "fileserver", "--openafs", "--port", "7000")
  await until(cell, `grep -qs "fileserver ready" ${log}`)
}

/** The work of an administrator, as shell commands. */
interface Operations {
  readonly create: (name: string) => string
  readonly backup: (name: string) => string
  readonly dump: (name: string, file: string) => string
  readonly restore: (name: string, file: string) => string
  readonly release: (name: string) => string
  readonly offlineAndOnline: (name: string) => string
  readonly remove: (name: string) => string
}

const site = `${cellAddress} a`

const operationsOf: Readonly<Record<Side, Operations>> = {
  theirs: {
    create: (name) => `vos create ${site} ${name} -noauth`,
    backup: (name) => `vos backup ${name} -noauth`,
    dump: (name, file) => `vos dump ${name} -file ${file} -noauth`,
    restore: (name, file) => `vos restore ${site} ${name} -file ${file} -noauth`,
    release: (name) => `vos addsite ${site} ${name} -noauth; vos release ${name} -noauth`,
    offlineAndOnline: (name) => `vos offline ${site} ${name} -noauth; vos online ${site} ${name} -noauth`,
    remove: (name) => `vos remove -id ${name} -noauth`,
  },
  ours: {
    create: (name) => `dafs vos create --name ${name} --partition /vicepa`,
    backup: (name) => `dafs vos backup ${name}`,
    dump: (name, file) => `dafs vos dump ${name} --file ${file}`,
    restore: (name, file) => `dafs vos restore --name ${name} --file ${file} --partition /vicepa`,
    release: (name) => `dafs vos release ${name}`,
    offlineAndOnline: (name) => `dafs vos offline ${name}; dafs vos online ${name}`,
    remove: (name) => `dafs vos remove ${name}`,
  },
}

/** A user of another volume, from the first moment to the last: what was acknowledged must be there in the end. */
const userProgram = `
mkdir -p /afs/.test.cell/lines
for ((n = 1; ; n++)); do
  until echo "line $n" 2>/dev/null >/afs/.test.cell/lines/$n; do sleep 0.1; done
  echo $n >>"$1"
  sleep 0.05
done`

async function startUser(cell: Cell, acknowledged: string): Promise<void> {
  await cell.start("fuse")
  await until(cell, "timeout 5 ls /afs/.test.cell >/dev/null 2>&1")
  await cell.run("user", "bash", "-c", userProgram, "user", acknowledged)
}

async function requireNothingLost(t: ExecutionContext, cell: Cell, acknowledged: string): Promise<void> {
  await until(cell, "timeout 5 ls /afs/.test.cell/lines >/dev/null 2>&1")
  const lost = await shell(
    cell,
    `while read n; do [ "$(timeout 20 cat /afs/.test.cell/lines/$n)" = "line $n" ] || echo "lost $n"; done <${acknowledged}`,
  )
  t.is(lost, "")
  t.true(readFileSync(acknowledged, "utf8").split("\n").length > 20, "the user was at work")
}

const volumesOn = (cell: Cell): number[] =>
  readdirSync(cell.partition("a")).flatMap((name) => {
    const digits = /^V(\d{10})\.vol$/.exec(name)?.[1]
    return digits === undefined ? [] : [Number(digits)]
  })

/** Every command is answered, and nobody has anything any more. */
async function requireNothingHeld(t: ExecutionContext, cell: Cell): Promise<void> {
  for (const id of volumesOn(cell)) {
    t.regex(await shell(cell, `debug volop -volumeid ${id} || true`), /NO_PENDING_VOL_OP/, `volume ${id}`)
  }
  const locks = await shell(cell, "dafs locks --partition /vicepa --json")
  t.notRegex(locks, /"volume":\d/, "no volume lock")
}

/** What a dafileserver that is killed leaves of a file that was being written, and no salvage of a volume in use mends. */
const leftByKilled = /^Vnode \d+: version < inode version; fixed \(old status\)$/

async function requireSound(t: ExecutionContext, cell: Cell, { fileserver }: Cast): Promise<void> {
  const { findings, salvaged } = await runDasalvager(t, cell.partition("a"))
  const ours = findings.filter((line) => fileserver === "ours" || !leftByKilled.test(line))
  t.deepEqual(ours, [], "dasalvager finds nothing")
  t.true(salvaged.length > 0)
  for (const { group, counts } of await salvageHere(cell.partition("a"))) {
    const { loss, left, repaired, note } = counts
    t.deepEqual({ group, loss, left }, { group, loss: 0, left: 0 }, "nor does our salvager miss anything")
    if (fileserver === "ours") t.deepEqual({ group, repaired, note }, { group, repaired: 0, note: 0 })
  }
}

const isState = (id: number, wanted: string): string =>
  `debug query -volumeid ${id} | grep -q 'attach_state.*${wanted}'`

/** A volume that is damaged in use: the fileserver asks for a salvage, and the volume comes back. */
async function salvageOnDemand(cell: Cell, id: number): Promise<void> {
  await shell(cell, `debug error -volumeid ${id} -partition /vicepa -reason 65537`)
  await until(cell, isState(id, "VOL_STATE_PREATTACHED"))
}

async function salvageByHand(cell: Cell, { salvages }: Cast, id: number): Promise<void> {
  const words =
    salvages === "ours"
      ? `dafs salvager --partition /vicepa --volumeid ${id} --force`
      : `/usr/lib/openafs/dasalvager -partition /vicepa -volumeid ${id} -forceDAFS`
  await shell(cell, words)
  await until(cell, isState(id, "VOL_STATE_PREATTACHED"))
}

async function work(t: ExecutionContext, cell: Cell, cast: Cast): Promise<void> {
  const run = operationsOf[cast.operations]
  const dump = join(cell.directory, "one.dump")
  await shell(cell, [run.create("one"), run.backup("one"), run.dump("one", dump), run.restore("two", dump)].join("\n"))
  await shell(cell, [run.release("one"), run.offlineAndOnline("two"), run.backup("one")].join("\n"))
  const listed = await shell(cell, `vos listvol ${site} -noauth`)
  for (const name of ["one", "one.backup", "one.readonly", "two"])
    t.regex(listed, new RegExp(`^${name} .*On-line`, "m"))
  const one = Number(/^one +(\d+)/m.exec(listed)?.[1])
  await salvageOnDemand(cell, one)
  await salvageByHand(cell, cast, one)

  await cell.kill("sal")
  await startSalvages(cell, cast)
  await salvageOnDemand(cell, one)
  await cell.kill("vol")
  await cell.start("vol")
  await shell(cell, run.backup("one"))
  await cell.kill("fs")
  await startFileserver(cell, cast)
  await shell(cell, [run.backup("one"), run.remove("two"), run.dump("one", dump)].join("\n"))
  t.notRegex(await shell(cell, `vos listvol ${site} -noauth`), /^two /m)
}

/** Each takes most of a minute: in every run those in which every program meets one of the other side. */
const isMixed = ({ fileserver, operations, salvages }: Cast): boolean =>
  fileserver !== operations && operations === salvages

for (const fileserver of sides) {
  for (const operations of sides) {
    for (const salvages of sides) {
      const cast = { fileserver, operations, salvages }
      const declare = isMixed(cast) || needsCellAndPatience.met ? needsCellAndFuse : needsCellAndPatience
      declare.serial(
        `matrix: fileserver ${fileserver}, volume operations ${operations}, salvages ${salvages}: all of it works, and leaves nothing behind`,
        async (t) => {
          const cell = await startCell(t, "vl", "pt", "sal", "fs", "vol")
          t.timeout(240_000)
          await cell.createVolume("root.cell")
          await cell.stop("fs", "sal")
          await startSalvages(cell, cast)
          await startFileserver(cell, cast)
          const acknowledged = join(cell.directory, "acknowledged")
          await startUser(cell, acknowledged)
          await work(t, cell, cast)
          await cell.stop("user")
          await requireNothingLost(t, cell, acknowledged)
          await cell.stop("fuse")
          await requireNothingHeld(t, cell)
          await cell.stop("vol", "fs", "sal")
          await requireSound(t, cell, cast)
        },
      )
    }
  }
}
