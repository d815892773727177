/** How a group is taken from the fileserver and given back. */
import { existsSync, rmSync } from "node:fs"
import { join } from "node:path"
import test, { type ExecutionContext } from "ava"
import { isAfsError } from "../../common/error.ts"
import { lockVolume } from "../../common/lock/volume-lock.ts"
import type { Partition } from "../../common/partition/partition.ts"
import { responses } from "../../fssync/message.ts"
import { GroupHold } from "../../salvager/group-hold.ts"
import { Survey } from "../../salvager/survey.ts"
import { failed, ok, type Script, scriptedFileserver } from "../support/scripted-fileserver.ts"
import { fixturePartition } from "../support/served-volumes.ts"

/** A group of the base partition: a read-write volume, a read-only and a backup clone. */
const [rw, ro, bk] = [536_870_915, 536_870_916, 536_870_917]

async function setUp(t: ExecutionContext, script: Script = {}) {
  const partition = fixturePartition(t, "base")
  const fileserver = await scriptedFileserver(t, script, "volumeSalvager")
  const claimant = { program: "volumeSalvager", fileserver: fileserver.client } as const
  const take = (first = rw): Promise<GroupHold> =>
    GroupHold.take(new Survey(partition), rw, first, { claimant, readOnly: false })
  return { partition, fileserver, take }
}

const members = (...ids: number[]) => ({ ...ok, payload: { parent: rw, members: ids } })
const isLocked = (partition: Partition, id: number): boolean => {
  const before = lockTry(partition, id)
  return before instanceof Error && isAfsError(before, "LOCKED")
}

function lockTry(partition: Partition, id: number): unknown {
  try {
    lockVolume(partition, id, "write").release()
    return undefined
  } catch (error) {
    return error
  }
}

const nothing = { deleted: [], created: [], changed: [] }

test("group hold: every member is checked out, locked and verified, the one asked for first; locks go before the check-ins", async (t) => {
  const { partition, fileserver, take } = await setUp(t, { VG_QUERY: () => members(rw, ro, bk) })
  const hold = await take(ro)
  t.deepEqual(hold.members, [ro, rw, bk])
  t.true([rw, ro, bk].every((id) => isLocked(partition, id)))
  await hold.end(nothing)
  t.false([rw, ro, bk].some((id) => isLocked(partition, id)))
  t.deepEqual(fileserver.requests, [
    ...[`OFF ${ro} SALVAGE`, `QUERY_VOP ${ro}`, `VG_QUERY ${ro}`],
    ...[`OFF ${rw} SALVAGE`, `QUERY_VOP ${rw}`, `OFF ${bk} SALVAGE`, `QUERY_VOP ${bk}`],
    ...[`ON ${ro}`, `ON ${rw}`, `ON ${bk}`],
  ])
})

test("group hold: a member that the fileserver's cache does not list is on the disk: it is taken, and the cache learns of it", async (t) => {
  const { fileserver, take } = await setUp(t, { VG_QUERY: () => members(rw, ro) })
  const hold = await take()
  t.true(hold.has(bk), "its data files would have been taken for nobody's")
  await hold.end(nothing)
  t.true(fileserver.requests.includes(`VG_ADD ${bk}`))
})

test("group hold: a member of the cache that is not on the disk is checked out, and checked in as deleted", async (t) => {
  const made = 536_871_000
  const { fileserver, take } = await setUp(t, { VG_QUERY: () => members(rw, ro, bk, made) })
  await (await take()).end(nothing)
  t.true(fileserver.requests.includes(`OFF ${made} SALVAGE`))
  t.true(fileserver.requests.includes(`DONE ${made}`))
})

test("group hold: while the fileserver reads the partition's headers the salvage waits; no partial answer is taken", async (t) => {
  const { fileserver, take } = await setUp(t, {
    VG_QUERY: (_request, nth) => (nth < 3 ? failed("PART_SCANNING") : members(rw, ro, bk)),
  })
  const hold = await take()
  t.is(fileserver.requests.filter((request) => request.startsWith("VG_QUERY")).length, 3)
  await hold.abort()
})

test("group hold: a salvage that is interrupted while it waits for the fileserver says so, and holds nothing", async (t) => {
  const stop = new AbortController()
  const { partition, fileserver } = await setUp(t, {
    VG_QUERY: () => {
      stop.abort()
      return failed("PART_SCANNING")
    },
  })
  const claimant = { program: "volumeSalvager", fileserver: fileserver.client } as const
  const taking = GroupHold.take(new Survey(partition), rw, rw, { claimant, readOnly: false, signal: stop.signal })
  const error = await t.throwsAsync(taking)
  t.true(isAfsError(error, "INTERRUPTED"), error?.message)
  t.true(fileserver.requests.includes(`ON ${rw}`))
  t.false(isLocked(partition, rw))
})

test("group hold: what became of the group is told before it is given back: headers made and removed, callbacks", async (t) => {
  const { fileserver, take } = await setUp(t, { VG_QUERY: () => members(rw, ro, bk) })
  const hold = await take()
  rmSync(join(hold.partition.path, `V0${bk}.vol`))
  rmSync(join(hold.partition.path, "AFSIDat", "1", "1+++U", "special"), { recursive: true })
  await hold.end({ deleted: [bk], created: [rw], changed: [rw, ro] })
  const told = fileserver.requests.slice(fileserver.requests.indexOf(`VG_DEL ${bk}`))
  t.deepEqual(told.slice(0, 4), [`VG_DEL ${bk}`, `VG_ADD ${rw}`, `BREAKCBKS ${rw}`, `BREAKCBKS ${ro}`])
  t.true(told.includes(`DONE ${bk}`))
})

/**
 * OpenAFS's salvager leaves its checkout behind when a volume's lock is busy: the volume stays offline, and not even the
 * lock's holder can bring it back.
 */
test("group hold: a busy lock is refused at once, names its holder, and every checkout made so far is given back", async (t) => {
  const { partition, fileserver, take } = await setUp(t, { VG_QUERY: () => members(rw, ro, bk) })
  using _other = lockVolume(partition, bk, "read", "a dump")
  const error = await t.throwsAsync(take())
  t.true(isAfsError(error, "LOCKED"))
  t.regex(error?.message ?? "", /536870917.*this process \(a dump\)/)
  t.deepEqual(fileserver.requests.filter((request) => request.startsWith("ON")).sort(), [
    `ON ${rw}`,
    `ON ${ro}`,
    `ON ${bk}`,
  ])
  t.false(isLocked(partition, rw))
})

test("group hold: a volume that another program has checked out is refused with its name, and nothing is checked in for it", async (t) => {
  const owner = {
    command: 65_539,
    reason: 2,
    volume: rw,
    partition: "/vicepa",
    parent: 0,
    vnode: 0,
    unique: 0,
    thread: 0,
  }
  const { fileserver, take } = await setUp(t, {
    VOL_OFF: () => ({ response: responses.DENIED, reason: 65_540 }),
    VOL_QUERY_VOP: () => ({ ...ok, payload: { request: { ...owner, programType: 6, pid: process.pid }, state: 3 } }),
  })
  const error = await t.throwsAsync(take())
  t.true(isAfsError(error, "VBUSY"))
  t.regex(error?.message ?? "", new RegExp(`pid ${process.pid}`))
  t.false(fileserver.requests.some((request) => request.startsWith("ON")))
})

test("group hold: to look only, no lock file is made", async (t) => {
  const partition = fixturePartition(t, "base")
  const claimant = { program: "salvager", fileserver: undefined } as const
  const hold = await GroupHold.take(new Survey(partition), rw, rw, { claimant, readOnly: true })
  t.false(existsSync(join(partition.path, ".volume.lock")))
  await hold.abort()
})
