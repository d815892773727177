/** OpenAFS's bosserver starts our daemons by their launchers, watches them, starts them again, and ends them. */
import { readFileSync } from "node:fs"
import { join } from "node:path"
import { openPartition } from "../../common/partition/partition.ts"
import { type Cell, cellAddress, startCell } from "../support/cell.ts"
import { builtProgram } from "../support/project.ts"
import { needsCell } from "../support/requirements.ts"
import { infoOnDisk } from "../support/served-volumes.ts"

const bos = (cell: Cell, verb: string, ...words: string[]): Promise<string> =>
  cell.exec("bos", verb, cellAddress, ...words, "-noauth")

/** Process ids of the daemons that the launchers became, by OpenAFS's names. */
async function daemons(cell: Cell): Promise<Record<string, number>> {
  const listed = await cell.exec("ps", "-eo", "pid,args")
  const found: Record<string, number> = {}
  for (const line of listed.split("\n")) {
    const [, pid, name] = /^ *(\d+) \S*node .*dafs\.js launch (\w+)/.exec(line) ?? []
    if (pid !== undefined && name !== undefined) found[name] = Number(pid)
  }
  return found
}

const until = (cell: Cell, condition: string): Promise<string> =>
  cell.exec(
    "bash",
    "-c",
    `end=$((SECONDS+40)); until ${condition}; do [ $SECONDS -lt $end ] || exit 1; sleep 0.1; done`,
  )

const serves = `timeout 5 ${process.execPath} ${builtProgram("cli/dafs.ts")} fssync status >/dev/null 2>&1`
const isOpen = (socket: string): string => `[ -S /var/lib/openafs/local/${socket} ]`

needsCell(
  "bosserver runs our daemons in the place of OpenAFS's: starts, watches, restarts and ends them",
  async (t) => {
    const cell = await startCell(t, "vl", "pt", "sal", "fs", "vol")
    t.timeout(180_000)
    const id = await cell.createVolume("one")
    await cell.stop("vol", "fs", "sal")
    await cell.exec("bash", "-c", "rm -f /var/lib/openafs/local/*.sock")
    const launchers = join(cell.directory, "lib")
    await cell.exec(process.execPath, builtProgram("cli/dafs.ts"), "install-launchers", launchers)
    await cell.run("bos", "/usr/sbin/bosserver", "-noauth", "-nofork")
    await until(cell, `timeout 2 bos status ${cellAddress} -noauth >/dev/null 2>&1`)

    const commands = [
      `${launchers}/dafileserver -p 23 -busyat 600 -rxpck 400 -s 1200 -l 1200 -cb 65535 -b 240 -vc 1200`,
      `${launchers}/davolserver -p 64 -log`,
      `${launchers}/salvageserver`,
      `${launchers}/dasalvager -parallel all4`,
    ]
    await bos(cell, "create", "dafs", "dafs", ...commands.flatMap((command) => ["-cmd", command]))
    await until(cell, serves)
    for (const socket of ["fssync.sock", "salvsync.sock"]) await until(cell, isOpen(socket))
    t.regex(await bos(cell, "status", "dafs"), /currently running normally[\s\S]*file server running/)
    const first = await daemons(cell)
    t.deepEqual(Object.keys(first).sort(), ["dafileserver", "davolserver", "salvageserver"])

    // a use of the volume, and a crash of each daemon
    await cell.exec(process.execPath, builtProgram("cli/dafs.ts"), "fssync", "get", "--volumeid", String(id))
    for (const [name, pid] of Object.entries(first)) {
      await cell.exec("kill", "-KILL", String(pid))
      await until(cell, `[ ! -d /proc/${pid} ] && pgrep -f 'launch ${name}' >/dev/null`)
    }
    await until(cell, serves)
    for (const socket of ["fssync.sock", "salvsync.sock"]) await until(cell, isOpen(socket))
    const second = await daemons(cell)
    for (const [name, pid] of Object.entries(first)) t.not(second[name], pid, `${name} was started again`)

    // what the crash left is salvaged at the next use, by a worker of the salvage server that bosserver started
    const get = `${process.execPath} ${builtProgram("cli/dafs.ts")} fssync get --volumeid ${id} >/dev/null 2>&1`
    await until(cell, get)

    await bos(cell, "shutdown", "dafs", "-wait")
    t.regex(await bos(cell, "status", "dafs"), /temporarily disabled, currently shutdown/)
    t.deepEqual(await daemons(cell), {})
    t.is(infoOnDisk(openPartition(cell.partition("a")), id).inUse, 0, "the end was clean")
    t.regex(readFileSync(join(cell.directory, "log", "FileLog"), "utf8"), /"reason":"SIGQUIT"/)

    await bos(cell, "start", "dafs")
    await until(cell, serves)
    await until(cell, get)
  },
)
