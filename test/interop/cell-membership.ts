/**
 * Our fileserver as a member of a real cell: groups of hosts from OpenAFS's ptserver, registration with its vlserver. One cell, one
 * test after the other: each begins with the fileserver that the one before has left.
 */
import { readFileSync, renameSync, rmSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { setTimeout as delay } from "node:timers/promises"
import { type Cell, cellAddress, sharedCell, wholeCell } from "../support/cell.ts"
import { startOurs } from "../support/fuse-work.ts"
import { builtProgram } from "../support/project.ts"
import { needsCell } from "../support/requirements.ts"

const dafs = builtProgram("cli/dafs.ts")
const theCell = needsCell.met ? sharedCell(...wholeCell) : undefined
/** Of another interface; of none. */
const otherAddress = "10.77.0.5"
const strangeAddress = "192.0.2.7"

/** The volume that the first test makes. */
const served = { volume: 0 }

function openCell(): Cell {
  const cell = theCell?.()
  if (cell === undefined) throw new Error("there is no cell")
  return cell
}

/** `dafs fs` inside the cell; its status and what it printed. */
const fs = (cell: Cell, ...words: string[]) => cell.try(process.execPath, [dafs, "fs", ...words])

/** Waits for a line in the log of the server of ours that was started last. */
async function logged(cell: Cell, pattern: RegExp): Promise<void> {
  const newest = `cat "$(ls -t ${join(cell.directory, "log")}/ours-*.log | head -n 1)"`
  let log = ""
  for (let tries = 0; tries < 600; tries++) {
    log = await cell.exec("sh", "-c", newest)
    if (pattern.test(log)) return
    await delay(50)
  }
  throw new Error(`nothing like ${pattern} in ${log}`)
}

/** Addresses in the location database, by name or number. */
const listed = (cell: Cell): Promise<string> => cell.vos("listaddrs", "-printuuid", "-noresolve", "-noauth")

async function restart(cell: Cell): Promise<void> {
  await cell.stop("fs")
  await startOurs(cell)
}

/** What access lists with names, and with a group of the host, come to. */
async function useGroups(cell: Cell, folder: string): Promise<object> {
  await fs(cell, "mkdir", cellAddress, folder)
  const unknown = await fs(cell, "acl", "set", cellAddress, folder, "nobody.known", "all")
  const set = await fs(cell, "acl", "set", cellAddress, folder, "system:hosts", "rli", "Ann", "all", "--clear")
  const made = await fs(cell, "mkdir", cellAddress, `${folder}/inside`)
  const removed = await fs(cell, "rmdir", cellAddress, `${folder}/inside`)
  const { callerAccess, anonymousAccess } = JSON.parse((await fs(cell, "stat", cellAddress, folder, "--json")).stdout)
  const list = (await fs(cell, "acl", "get", cellAddress, folder)).stdout
  const statuses = [unknown, set, made, removed].map(({ status }) => status)
  return { statuses, callerAccess, anonymousAccess, list }
}

needsCell.serial("cell: groups of a host, and names in access lists, mean what they do to dafileserver", async (t) => {
  t.timeout(120_000)
  const cell = openCell()
  const volume = await cell.createVolume("served")
  served.volume = volume
  for (const words of [
    ["createuser", "-name", cellAddress],
    ["createuser", "-name", "ann", "-id", "1001"],
    ["creategroup", "-name", "system:hosts"],
    ["adduser", "-user", cellAddress, "-group", "system:hosts"],
  ])
    await cell.exec("pts", ...words, "-localauth")
  // It keeps the groups of a host that it has met.
  await cell.stop("fs")
  await cell.start("fs")
  const theirs = await useGroups(cell, `${volume}:theirs`)
  await cell.stop("vol")
  await restart(cell)
  const ours = await useGroups(cell, `${volume}:ours`)
  t.deepEqual(ours, theirs)
  t.like(ours, { statuses: [2, 0, 0, 12], callerAccess: "rli", anonymousAccess: "rli" })
})

needsCell.serial(
  "cell: the server keeps the other's UUID, and registers what NetInfo and NetRestrict leave",
  async (t) => {
    t.timeout(120_000)
    const cell = openCell()
    const sysid = readFileSync(join(cell.stateDirectory, "sysid"))
    const before = await listed(cell)
    t.false(before.includes(otherAddress))
    await cell.exec("ip", "address", "add", `${otherAddress}/24`, "dev", "lo")
    for (const name of ["NetInfo", "NetRestrict"]) rmSync(join(cell.stateDirectory, name), { force: true })
    await restart(cell)
    await logged(cell, /registered with/)
    t.true((await listed(cell)).includes(otherAddress))
    writeFileSync(join(cell.stateDirectory, "NetRestrict"), "10.77.0.0/16\n")
    writeFileSync(join(cell.stateDirectory, "NetInfo"), "10.99.0.0/24\nhello\n")
    await restart(cell)
    await logged(cell, /NetInfo, line 2.*rule does not count/)
    await logged(cell, /registered with/)
    t.is(await listed(cell), before)
    t.deepEqual(readFileSync(join(cell.stateDirectory, "sysid")), sysid)
    await cell.start("vol")
    const examined = await cell.vos("examine", String(served.volume), "-noresolve", "-noauth")
    t.regex(examined, /On-line[\s\S]*server 10\.99\.0\.1 partition \/vicepa RW Site/)
    await cell.stop("vol")
  },
)

needsCell.serial(
  "cell: a server with the addresses of two others is not registered, says so, and serves",
  async (t) => {
    t.timeout(120_000)
    const cell = openCell()
    const sysid = join(cell.stateDirectory, "sysid")
    const netInfo = join(cell.stateDirectory, "NetInfo")
    const { volume } = served
    renameSync(sysid, `${sysid}.kept`)
    writeFileSync(netInfo, `f ${strangeAddress}\n`)
    await restart(cell)
    await logged(cell, /registered with/)
    const before = await listed(cell)
    t.true(before.includes(strangeAddress))
    rmSync(sysid)
    writeFileSync(netInfo, `${cellAddress}\nf ${strangeAddress}\n`)
    await restart(cell)
    await logged(cell, /not registered: another server has one of the addresses under another UUID/)
    t.is((await fs(cell, "ls", cellAddress, `${volume}:`)).status, 0)
    t.is(await listed(cell), before)
    rmSync(sysid)
    renameSync(`${sysid}.kept`, sysid)
  },
)

needsCell.serial(
  "cell: with no database server clients are served at once, and the log says what is missing",
  async (t) => {
    t.timeout(120_000)
    const cell = openCell()
    const { volume } = served
    await cell.kill("vl", "pt")
    await restart(cell)
    const made = await fs(cell, "mkdir", cellAddress, `${volume}:folder`)
    t.is(made.status, 0, made.stderr)
    const list = await fs(cell, "acl", "get", cellAddress, `${volume}:`)
    t.is(list.stdout, "NAME            RIGHTS\nsystem:anyuser  rlidwka\n")
    await logged(cell, /not registered: no location server answers/)
    await logged(cell, /no protection server answers/)
  },
)
