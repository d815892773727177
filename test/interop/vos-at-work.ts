/**
 * Volume operations of OpenAFS's vos and volserver under clients at work: the FUSE client waits and goes on, clients hear that
 * a volume has changed, and afsio reads and writes files whatever happened to their volumes.
 */
import type { ExecutionContext } from "ava"
import { type Cell, cellAddress } from "../support/cell.ts"
import {
  awaitTree,
  cellTree,
  cellWithRoot,
  digestOf,
  requireSound,
  shell,
  startOurs,
  work,
} from "../support/fuse-work.ts"
import { builtProgram } from "../support/project.ts"
import { needsCell, needsCellAndFuse } from "../support/requirements.ts"

const dafs = builtProgram("cli/dafs.ts")
const replicaTree = "/afs/test.cell"

async function served(t: ExecutionContext): Promise<Cell> {
  const cell = await cellWithRoot(t)
  await startOurs(cell)
  await cell.start("vol")
  return cell
}

async function mounted(t: ExecutionContext): Promise<Cell> {
  const cell = await served(t)
  await cell.start("fuse")
  await awaitTree(cell)
  return cell
}

/** Ends the servers; both salvagers find nothing. */
async function judge(t: ExecutionContext, cell: Cell): Promise<void> {
  await cell.stop("fuse", "vol", "fs")
  await requireSound(t, cell)
}

needsCellAndFuse("vos at work: its client waits while a volume is cloned and dumped, and sees no error", async (t) => {
  const cell = await mounted(t)
  let isDone = false
  const done = work(cell, "tree", `${cellTree}/tree`, 400).finally(() => {
    isDone = true
  })
  let rounds = 0
  for (; !isDone && rounds < 4; rounds++) {
    await cell.vos("backup", "root.cell", "-noauth")
    await cell.vos("dump", "root.cell", "-file", `${cell.directory}/dump`, "-noauth")
  }
  await done
  t.true(rounds > 0)
  await work(cell, "tree", `${cell.directory}/tree`, 400)
  t.is(await digestOf(cell, `${cellTree}/tree`), await digestOf(cell, `${cell.directory}/tree`))
  await judge(t, cell)
})

needsCellAndFuse(
  "vos at work: a client follows a volume that moves, and hears of a release and of offline",
  async (t) => {
    const cell = await mounted(t)
    await shell(cell, `echo one >${cellTree}/file`)
    await cell.vos("move", "root.cell", cellAddress, "a", cellAddress, "b", "-noauth")
    t.is(await shell(cell, `cat ${cellTree}/file; echo two >${cellTree}/file; cat ${cellTree}/file`), "one\ntwo\n")
    await cell.vos("move", "root.cell", cellAddress, "b", cellAddress, "a", "-noauth")
    t.is(await shell(cell, `cat ${cellTree}/file`), "two\n")

    await cell.vos("addsite", cellAddress, "a", "root.cell", "-noauth")
    await cell.vos("release", "root.cell", "-noauth")
    const replica = await cell.volumeId("root.cell.readonly")
    const ofReplica = async (): Promise<string> => {
      const { stdout } = await cell.try(process.execPath, [dafs, "fs", "get", cellAddress, `${replica}:file`, "-"])
      return stdout
    }
    t.is(await ofReplica(), "two\n")
    await shell(cell, `echo three >${cellTree}/file`)
    t.is(await ofReplica(), "two\n")
    await cell.vos("release", "root.cell", "-noauth")
    t.is(await ofReplica(), "three\n")
    await shell(cell, `timeout 60 sh -c 'until grep -qs three ${replicaTree}/file; do sleep 0.2; done'`)

    const volume = await cell.volumeId("root.cell")
    await cell.vos("offline", cellAddress, "a", "root.cell", "-noauth")
    const { status, stderr } = await cell.try(process.execPath, [dafs, "fs", "stat", cellAddress, `${volume}:file`])
    t.not(status, 0)
    t.regex(stderr, /VOFFLINE|106/)
    await cell.vos("online", cellAddress, "a", "root.cell", "-noauth")
    t.is(await shell(cell, `timeout 60 sh -c 'until cat ${cellTree}/file 2>/dev/null; do sleep 0.2; done'`), "three\n")
    await judge(t, cell)
  },
)

needsCell("vos at work: afsio reads, overwrites, appends to and locks a file, byte for byte", async (t) => {
  const cell = await served(t)
  const volume = await cell.volumeId("root.cell")
  const [source, back] = [`${cell.directory}/source`, `${cell.directory}/back`]
  await shell(cell, `head -c 20000000 /dev/urandom >${source}; echo x >${back}`)
  await cell.exec(process.execPath, dafs, "fs", "put", cellAddress, back, `${volume}:file`)
  const stated = await cell.exec(process.execPath, dafs, "fs", "stat", cellAddress, `${volume}:file`)
  const fid = /^fid\s+(\S+)/m.exec(stated)?.[1] ?? ""
  await shell(cell, `afsio fidwrite -vnode ${fid} -clear -force <${source}`)
  await shell(cell, `afsio fidread -fid ${fid} -clear >${back} && cmp ${source} ${back}`)
  // A clone takes part in the file from here on.
  await cell.vos("backup", "root.cell", "-noauth")
  await shell(cell, `printf more | afsio fidappend -vnode ${fid} -clear; printf more >>${source}`)
  await shell(cell, `afsio fidread -fid ${fid} -clear >${back} && cmp ${source} ${back}`)
  const clone = await cell.volumeId("root.cell.backup")
  await cell.exec(process.execPath, dafs, "fs", "get", cellAddress, `${clone}:file`, back)
  await shell(cell, `head -c 20000000 ${source} | cmp - ${back}`)
  const locks = async (): Promise<string | undefined> =>
    /^locks\s+(.*)$/m.exec(await cell.exec(process.execPath, dafs, "fs", "stat", cellAddress, fid))?.[1]
  await cell.exec("afsio", "fidlock", "-fid", fid, "-clear", "-waitseconds", "1")
  t.is(await locks(), "write")
  await cell.exec("afsio", "fidunlock", "-fid", fid, "-clear")
  t.is(await locks(), "none")
  await judge(t, cell)
})
