/** OpenAFS's bosserver starts our daemons by their launchers, watches them, starts them again, and ends them. */
import { readFileSync } from "node:fs"
import { join } from "node:path"
import type { ExecutionContext } from "ava"
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
    const [, pid, name] = /^ *(\d+) \S*node .*dafs\.c?js launch (\w+)/.exec(line) ?? []
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

needsCell.serial(
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
    const long = await bos(cell, "status", "dafs", "-long")
    for (const [index, command] of commands.entries())
      t.true(long.includes(`Command ${index + 1} is '${command}'`), long)
    requireWarnings(t, cell)
    await requireSignals(t, cell)
  },
)

const logOf = (cell: Cell, name: string): string => readFileSync(join(cell.directory, "log", name), "utf8")

/** What is different here is in the logs, for those who never read this. */
function requireWarnings(t: ExecutionContext, cell: Cell): void {
  t.regex(
    logOf(cell, "FileLog"),
    /"switches":\["-p","-busyat","-rxpck","-s","-l","-b","-vc"\],"msg":"switches that have/,
  )
  t.regex(logOf(cell, "VolserLog"), /OpenAFS's vos needs OpenAFS's davolserver/)
}

const daemonLogs = { dafileserver: "FileLog", davolserver: "VolserLog", salvageserver: "SalsrvLog" } as const

/** TSTP tells more, XCPU how things stand, HUP opens a log that was renamed; nobody ends by them. */
async function requireSignals(t: ExecutionContext, cell: Cell): Promise<void> {
  const running = await daemons(cell)
  for (const [name, log] of Object.entries(daemonLogs)) {
    const pid = String(running[name])
    const path = `/var/log/openafs/${log}`
    await cell.exec("kill", "-TSTP", pid)
    await until(cell, `grep -q '"level":"debug","msg":"log level raised"' ${path}`)
    await cell.exec("kill", "-XCPU", pid)
    await until(cell, `grep -q 'state on request' ${path}`)
    await cell.exec("bash", "-c", `mv ${path} ${path}.old; kill -HUP ${pid}`)
    await until(cell, `grep -qs 'log opened anew' ${path}`)
  }
  t.deepEqual(await daemons(cell), running)
}

needsCell.serial(
  "bosserver: OpenAFS's davolserver runs beside our fileserver and salvage server, and bos salvage runs our salvager",
  async (t) => {
    const cell = await startCell(t, "vl", "pt")
    t.timeout(180_000)
    const launchers = join(cell.directory, "lib")
    await cell.exec(process.execPath, builtProgram("cli/dafs.ts"), "install-launchers", launchers)
    // what bosserver itself starts has to be where OpenAFS has it
    for (const name of ["dasalvager", "salvageserver"])
      await cell.exec("mount", "--bind", join(launchers, name), `/usr/lib/openafs/${name}`)
    await cell.run("bos", "/usr/sbin/bosserver", "-noauth", "-nofork")
    await until(cell, `timeout 2 bos status ${cellAddress} -noauth >/dev/null 2>&1`)
    const commands = [
      `${launchers}/dafileserver -L`,
      "/usr/lib/openafs/davolserver -p 16",
      `${launchers}/salvageserver`,
      `${launchers}/dasalvager`,
    ]
    await bos(cell, "create", "dafs", "dafs", ...commands.flatMap((command) => ["-cmd", command]))
    await until(cell, serves)
    await until(cell, isOpen("salvsync.sock"))
    const answers = `timeout 3 vos status ${cellAddress} -noauth >/dev/null 2>&1`
    await until(cell, answers)
    const id = await cell.createVolume("one")
    await cell.vos("backup", "one", "-noauth")

    await cell.exec("bash", "-c", `kill -KILL $(pgrep -f '^/usr/lib/openafs/davolserver' --nslist mnt --ns $$)`)
    await until(cell, answers)
    await cell.vos("backup", "one", "-noauth")
    t.regex(await cell.vos("listvol", cellAddress, "a", "-noauth"), /^one\.backup .*On-line/m)

    await bos(cell, "salvage", "-partition", "a", "-volume", "one", "-forceDAFS")
    t.regex(logOf(cell, "SalsrvLog"), new RegExp(`Salvaged one \\(${id}\\)`), "a worker of ours has looked at it")
    t.regex(await bos(cell, "status", "dafs"), /currently running normally/)
    t.is(infoOnDisk(openPartition(cell.partition("a")), id).needsSalvaged, 0)
    await cell.vos("backup", "one", "-noauth")
  },
)
