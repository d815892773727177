import { mkdirSync } from "node:fs"
import { join } from "node:path"
import test from "ava"
import { lockVolume } from "../../../common/lock/volume-lock.ts"
import { openPartition } from "../../../common/partition/partition.ts"
import { attachModes } from "../../../common/protocol/codes.ts"
import { VolumeUse } from "../../../common/volume/server-volume.ts"
import { type FssyncCommand, fssyncReasons, responses, type SyncAnswer } from "../../../fssync/message.ts"
import { unpackFixture } from "../../support/fixture.ts"
import {
  type Asker,
  clones,
  fixturePartition,
  infoOnDisk,
  patchInfo,
  type Served,
  serve,
} from "../../support/served-volumes.ts"
import { temporaryDirectory } from "../../support/temporary-directory.ts"

const { EXCLUSIVE, SALVAGE, UNKNOWN_VOLID, WRONG_PART, WHATEVER, BAD_STATE } = fssyncReasons
const OK = { response: responses.OK, reason: 0 }
const denied = (reason: number): SyncAnswer => ({ response: responses.DENIED, reason })
const failed = (reason: number): SyncAnswer => ({ response: responses.FAILED, reason })
/** A process that does not exist: the kernel's ids end before it. */
const noProcess = 0x7fff_fff0

const need = (who: Asker, volume: number, mode: keyof typeof attachModes): SyncAnswer | Promise<SyncAnswer> =>
  who.ask("VOL_NEEDVOLUME", { volume, reason: attachModes[mode] })
const salvageOff = (who: Asker, volume: number): SyncAnswer | Promise<SyncAnswer> =>
  who.ask("VOL_OFF", { volume, reason: SALVAGE })

/** State of the volume and of its checkout, as numbers: `3/2` is attached, running online. */
function shown(served: Served, volume: number): string {
  const found = served.volumes.find(volume)
  const states = { UNATTACHED: 0, PREATTACHED: 1, ATTACHED: 3 }
  const operations = { runningOnline: 2, runningOffline: 3, unknown: 4 }
  const state = Object.entries(states).find(([name]) => name === found?.state)?.[1] ?? found?.state
  return `${state}/${found?.operation === undefined ? "-" : operations[found.operation.state]}`
}

interface Row {
  readonly name: string
  readonly command: FssyncCommand
  readonly reason: number
  /** After checkout, what the client gets, after that access: for each of the four columns. */
  readonly rwAttached: string
  readonly rwPreattached: string
  readonly bkAttached: string
  readonly bkPreattached: string
}

const offline = {
  rwAttached: "0/3 VOFFLINE 0/3",
  rwPreattached: "1/4 VOFFLINE 0/3",
  bkAttached: "0/3 VOFFLINE 0/3",
  bkPreattached: "1/4 VOFFLINE 0/3",
}
const whileCloned = {
  rwAttached: "0/3 VBUSY 0/3",
  rwPreattached: "1/4 VBUSY 0/3",
  bkAttached: "3/2 ok 3/2",
  bkPreattached: "1/4 ok 3/2",
}
const table: Row[] = [
  {
    name: "NEED READONLY",
    command: "VOL_NEEDVOLUME",
    reason: attachModes.READONLY,
    rwAttached: "3/2 ok 3/2",
    rwPreattached: "1/4 ok 3/2",
    bkAttached: "3/2 ok 3/2",
    bkPreattached: "1/4 ok 3/2",
  },
  { name: "NEED CLONE", command: "VOL_NEEDVOLUME", reason: attachModes.CLONE, ...whileCloned },
  { name: "NEED DUMP", command: "VOL_NEEDVOLUME", reason: attachModes.DUMP, ...whileCloned },
  { name: "NEED VOLUPD", command: "VOL_NEEDVOLUME", reason: attachModes.VOLUPD, ...offline },
  { name: "NEED SECRETLY", command: "VOL_NEEDVOLUME", reason: attachModes.SECRETLY, ...offline },
  { name: "NEED PEEK", command: "VOL_NEEDVOLUME", reason: attachModes.PEEK, ...offline },
  { name: "OFF WHATEVER", command: "VOL_OFF", reason: WHATEVER, ...offline },
  {
    name: "OFF SALVAGE",
    command: "VOL_OFF",
    reason: SALVAGE,
    rwAttached: "0/3 VBUSY 0/3",
    rwPreattached: "1/4 VBUSY 0/3",
    bkAttached: "0/3 VBUSY 0/3",
    bkPreattached: "1/4 VBUSY 0/3",
  },
]

for (const row of table) {
  test(`checkout table: ${row.name}: states before and after a client's access, and what it gets`, async (t) => {
    const columns = [
      ["rwAttached", clones.rw, true],
      ["rwPreattached", clones.otherRw, false],
      ["bkAttached", clones.bk, true],
      ["bkPreattached", clones.otherBk, false],
    ] as const
    const served = serve(t)
    const volserver = served.asker("volumeServer")
    for (const [column, volume, attached] of columns) {
      if (attached) t.is(await served.access(volume), "ok")
      t.deepEqual(await volserver.ask(row.command, { volume, reason: row.reason }), OK, column)
      const before = shown(served, volume)
      const got = await served.access(volume)
      t.is(`${before} ${got} ${shown(served, volume)}`, row[column], column)
      t.is(await served.access(volume), got, `${column}: the second access gets the same`)
      t.deepEqual(await volserver.ask("VOL_ON", { volume }), OK, column)
      const stayed = row[column].endsWith("3/2")
      t.is(shown(served, volume), stayed ? "3/-" : "1/-", `${column}: after VOL_ON`)
      t.is(await served.access(volume), "ok", `${column}: served again`)
    }
  })
}

test("checkout: a volume taken offline is out of use on disk, says why, and has its exact uniquifier", async (t) => {
  const served = serve(t)
  const before = infoOnDisk(served.partition, clones.rw)
  await served.access(clones.rw)
  t.is(infoOnDisk(served.partition, clones.rw).inUse, 1)
  t.deepEqual(need(served.asker("volumeServer"), clones.rw, "VOLUPD"), OK, "answered at once")
  const after = infoOnDisk(served.partition, clones.rw)
  t.deepEqual(
    [after.inUse, after.uniquifier, after.offlineMessage],
    [0, before.uniquifier, "A volume utility is running."],
  )
})

test("checkout: an offline message that is set already is kept", async (t) => {
  const served = serve(t)
  await served.access(clones.rw)
  served.volumes.find(clones.rw)?.attachment?.edit((info) => {
    info.offlineMessage = "moved to the cellar"
  })
  void need(served.asker("volumeServer"), clones.rw, "VOLUPD")
  t.is(infoOnDisk(served.partition, clones.rw).offlineMessage, "moved to the cellar")
})

test("checkout: the volume that stays online has its information on disk, still in use", async (t) => {
  const served = serve(t)
  await served.access(clones.bk)
  served.volumes.find(clones.bk)?.attachment?.edit((info) => {
    info.dayUse = 4711
  })
  t.deepEqual(need(served.asker("volumeServer"), clones.bk, "CLONE"), OK)
  const info = infoOnDisk(served.partition, clones.bk)
  t.deepEqual([info.dayUse, info.inUse], [4711, 1])
})

test("checkout: unknown volumes and those of another partition are granted, and nothing is recorded", async (t) => {
  const served = serve(t)
  const volserver = served.asker("volumeServer")
  t.deepEqual(need(volserver, 4711, "VOLUPD"), OK)
  t.deepEqual(volserver.ask("VOL_QUERY_VOP", { volume: 4711 }), failed(UNKNOWN_VOLID))
  t.deepEqual(volserver.ask("VOL_OFF", { volume: clones.rw, partition: "/vicepz" }), OK)
  t.is(shown(served, clones.rw), "1/-")
  t.deepEqual(volserver.ask("VOL_OFF", { volume: clones.rw, partition: "" }), OK, "no name matches any partition")
  t.is(shown(served, clones.rw), "1/4")
})

test("checkout: who may not have a known volume is refused without a reason", (t) => {
  const served = serve(t)
  for (const type of ["fileServer", "salvager", "none"] as const) {
    t.deepEqual(need(served.asker(type), clones.rw, "CLONE"), denied(0), type)
    t.deepEqual(need(served.asker(type), 4711, "CLONE"), OK, `${type}, unknown volume`)
  }
})

test("checkout: another type of program waits its turn; the same type takes over", async (t) => {
  const served = serve(t)
  const [first, second] = [served.asker("volumeServer"), served.asker("volumeServer")]
  const salvager = served.asker("salvageServer")
  t.deepEqual(need(first, clones.rw, "CLONE"), OK)
  t.deepEqual(salvageOff(salvager, clones.rw), denied(EXCLUSIVE))
  t.deepEqual(salvager.ask("VOL_ON", { volume: clones.rw }), denied(EXCLUSIVE))
  t.deepEqual(salvager.ask("VOL_LEAVE_OFF", { volume: clones.rw }), denied(EXCLUSIVE))
  t.deepEqual(need(second, clones.rw, "DUMP"), OK)
  t.is(served.volumes.find(clones.rw)?.operation?.request.reason, attachModes.DUMP)
  t.deepEqual(first.ask("VOL_ON", { volume: clones.rw }), OK)
  t.deepEqual(salvageOff(salvager, clones.rw), OK)
  t.deepEqual(need(first, clones.rw, "CLONE"), denied(SALVAGE))
  t.deepEqual(served.asker("volumeSalvager").ask("VOL_OFF", { volume: clones.rw, reason: SALVAGE }), denied(SALVAGE))
})

test("check-in: VOL_ON of an unknown volume makes it known, without a look at the disk", async (t) => {
  const served = serve(t)
  const volserver = served.asker("volumeServer")
  t.deepEqual(volserver.ask("VOL_ON", { volume: 4711 }), OK)
  t.is(served.state(4711), "PREATTACHED")
  t.is(await served.access(4711), "VNOVOL")
  t.is(served.state(4711), "ERROR")
  t.deepEqual(volserver.ask("VOL_ON", { volume: 4712, partition: "/vicepz" }), denied(103))
  t.deepEqual(volserver.ask("VOL_ON", { volume: 4712, partition: "" }), failed(fssyncReasons.BAD_PART))
  t.deepEqual(volserver.ask("VOL_ATTACH", { volume: 4713 }), OK)
  t.is(served.state(4713), "PREATTACHED", "VOL_ATTACH attaches nothing")
})

test("check-in: VOL_ON of a volume that is attached changes nothing", async (t) => {
  const served = serve(t)
  await served.access(clones.rw)
  t.deepEqual(served.asker("volumeServer").ask("VOL_ON", { volume: clones.rw }), OK)
  t.is(shown(served, clones.rw), "3/-")
})

test("check-in: LEAVE_OFF keeps a volume offline until VOL_ON", async (t) => {
  const served = serve(t)
  const volserver = served.asker("volumeServer")
  await served.access(clones.rw)
  void need(volserver, clones.rw, "VOLUPD")
  t.deepEqual(volserver.ask("VOL_LEAVE_OFF", { volume: clones.rw }), OK)
  t.is(shown(served, clones.rw), "0/-")
  t.is(await served.access(clones.rw), "VOFFLINE")
  t.deepEqual(volserver.ask("VOL_LEAVE_OFF", { volume: 4711 }), failed(UNKNOWN_VOLID))
  t.deepEqual(volserver.ask("VOL_LEAVE_OFF", { volume: clones.rw, partition: "/vicepz" }), denied(WRONG_PART))
  t.deepEqual(volserver.ask("VOL_LEAVE_OFF", { volume: clones.rw, partition: "" }), failed(fssyncReasons.BAD_PART))
  void need(volserver, clones.rw, "VOLUPD")
  t.deepEqual(volserver.ask("VOL_ON", { volume: clones.rw }), OK)
  t.is(await served.access(clones.rw), "ok")
  t.deepEqual(volserver.ask("VOL_LEAVE_OFF", { volume: clones.rw }), denied(BAD_STATE))
})

test("check-in: DONE makes a volume deleted; its id can be made anew", async (t) => {
  const served = serve(t)
  const volserver = served.asker("volumeServer")
  void need(volserver, clones.bk, "VOLUPD")
  t.deepEqual(volserver.ask("VOL_DONE", { volume: clones.bk }), OK)
  t.is(served.state(clones.bk), "DELETED")
  t.is(await served.access(clones.bk), "VNOVOL")
  t.deepEqual(volserver.ask("VOL_QUERY_VOP", { volume: clones.bk }), failed(UNKNOWN_VOLID))
  t.deepEqual(volserver.ask("VOL_DONE", { volume: clones.bk }), failed(UNKNOWN_VOLID), "a second time")
  t.deepEqual(need(volserver, clones.bk, "VOLUPD"), OK)
  t.is(shown(served, clones.bk), "DELETED/-", "a checkout of a deleted volume is granted and not recorded")
  t.deepEqual(volserver.ask("VOL_ON", { volume: clones.bk }), OK)
  t.is(await served.access(clones.bk), "ok")
  t.deepEqual(volserver.ask("VOL_DONE", { volume: clones.bk }), denied(BAD_STATE), "an attached volume is not deleted")
  t.deepEqual(volserver.ask("VOL_DONE", { volume: 4711 }), failed(UNKNOWN_VOLID))
})

test("check-in: a volume that moved between partitions of the server is served from the new one", async (t) => {
  const directory = temporaryDirectory(t)
  const paths = ["vicepa", "vicepb"].map((name) => join(directory, name))
  for (const path of paths) {
    mkdirSync(path)
    unpackFixture("clones", path)
  }
  const served = serve(t, { partitions: paths.map((path) => openPartition(path)) })
  const duplicates = served.log.lines.filter(({ message }) => message.startsWith("duplicate volume id"))
  t.is(duplicates.length, 5, "the second partition's volumes have known ids: logged, not served")
  t.is(served.volumes.find(clones.rw)?.partition.name, "/vicepa")
  const volserver = served.asker("volumeServer")
  void need(volserver, clones.rw, "VOLUPD")
  t.deepEqual(volserver.ask("VOL_ON", { volume: clones.rw, partition: "/vicepb" }), OK)
  t.deepEqual(volserver.ask("VOL_DONE", { volume: clones.rw, partition: "/vicepa" }), { ...OK, reason: WRONG_PART })
  t.is(await served.access(clones.rw), "ok")
  t.is(served.volumes.find(clones.rw)?.partition.name, "/vicepb")
})

test("check-in: a volume that moved to another server answers so until it is put online", async (t) => {
  const served = serve(t)
  const volserver = served.asker("volumeServer")
  await served.access(clones.rw)
  t.deepEqual(volserver.ask("VOL_MOVE", { volume: clones.rw }), denied(BAD_STATE))
  t.deepEqual(volserver.ask("VOL_MOVE", { volume: 4711 }), denied(UNKNOWN_VOLID))
  t.deepEqual(volserver.ask("VOL_MOVE", { volume: clones.rw, partition: "/vicepz" }), denied(WRONG_PART))
  void need(volserver, clones.rw, "VOLUPD")
  t.deepEqual(volserver.ask("VOL_MOVE", { volume: clones.rw, partition: "", reason: 0x0a630001 }), OK)
  t.deepEqual(served.broken, [clones.rw])
  t.is(await served.access(clones.rw), "VMOVED")
  t.deepEqual(volserver.ask("VOL_LEAVE_OFF", { volume: clones.rw }), OK)
  t.is(await served.access(clones.rw), "VMOVED")
  t.deepEqual(volserver.ask("VOL_DONE", { volume: clones.rw }), OK)
  t.is(await served.access(clones.rw), "VMOVED")
  t.deepEqual(volserver.ask("VOL_ON", { volume: clones.rw }), OK)
  t.is(await served.access(clones.rw), "ok")
})

test("FORCE_ERROR: another reason than SALVAGE puts a volume into error until VOL_ON; attached ones included", async (t) => {
  const served = serve(t)
  const operator = served.asker("debugUtility")
  await served.access(clones.bk)
  t.deepEqual(operator.ask("VOL_FORCE_ERROR", { volume: clones.bk, reason: WHATEVER }), OK)
  t.is(served.state(clones.bk), "ERROR")
  t.is(await served.access(clones.bk), "VNOVOL")
  t.is(served.volumes.find(clones.bk)?.generation, "none", "it is on no queue of idle volumes")
  t.deepEqual(operator.ask("VOL_FORCE_ERROR", { volume: clones.bk, reason: WHATEVER }), OK, "again")
  t.deepEqual(need(served.asker("volumeServer"), clones.bk, "CLONE"), denied(0))
  t.deepEqual(operator.ask("VOL_ON", { volume: clones.bk }), OK)
  t.is(await served.access(clones.bk), "ok")
})

test("FORCE_ERROR: the partition must be named exactly, unknown volumes are unknown", (t) => {
  const served = serve(t)
  const operator = served.asker("debugUtility")
  const force = (volume: number, partition: string, reason: number): SyncAnswer | Promise<SyncAnswer> =>
    operator.ask("VOL_FORCE_ERROR", { volume, partition, reason })
  t.deepEqual(force(clones.rw, "", WHATEVER), failed(WRONG_PART))
  t.deepEqual(force(clones.rw, "/vicepz", SALVAGE), failed(WRONG_PART))
  t.deepEqual(force(4711, "/vicepa", WHATEVER), failed(UNKNOWN_VOLID))
  t.deepEqual(force(4711, "/vicepz", SALVAGE), failed(UNKNOWN_VOLID))
  t.is(served.state(4711), undefined)
  t.deepEqual(force(4711, "/vicepa", SALVAGE), OK, "a salvage may be asked for what nobody knows")
  t.deepEqual(
    served.salvager.jobs.map((job) => job.volume),
    [4711],
  )
})

/** OpenAFS 1.8.9 wiped the volserver's checkout: clients lost the volume until its dump was over. */
test("FORCE_ERROR: a failed salvage does not take a volume from the program that has it", async (t) => {
  const served = serve(t)
  const volserver = served.asker("volumeServer")
  const salvageserver = served.asker("salvageServer")
  await served.access(clones.rw)
  void need(volserver, clones.rw, "CLONE")
  t.deepEqual(salvageserver.ask("VOL_FORCE_ERROR", { volume: clones.rw, reason: WHATEVER }), denied(EXCLUSIVE))
  t.deepEqual(salvageserver.ask("VOL_DONE", { volume: clones.rw, reason: SALVAGE }), denied(EXCLUSIVE))
  t.is(shown(served, clones.rw), "0/3")
  t.is(await served.access(clones.rw), "VBUSY")
  t.deepEqual(volserver.ask("VOL_ON", { volume: clones.rw }), OK)
  t.is(await served.access(clones.rw), "ok")
  t.deepEqual(salvageserver.ask("VOL_FORCE_ERROR", { volume: clones.rw, reason: WHATEVER }), OK, "nobody has it now")
  t.is(served.state(clones.rw), "ERROR")
})

test("FORCE_ERROR: a dead program's checkout protects nothing", async (t) => {
  const served = serve(t)
  void need(served.asker("volumeServer", noProcess), clones.rw, "CLONE")
  const salvageserver = served.asker("salvageServer")
  t.deepEqual(salvageserver.ask("VOL_FORCE_ERROR", { volume: clones.rw, reason: WHATEVER }), OK)
  t.is(shown(served, clones.rw), "ERROR/-")
})

test("a checkout waits for the volume's users; new ones are told, the present ones finish, others are answered", async (t) => {
  const served = serve(t)
  const use = await served.volumes.acquire(clones.rw)
  const volserver = served.asker("volumeServer")
  const waiting = need(volserver, clones.rw, "CLONE")
  t.true(waiting instanceof Promise)
  t.is(served.state(clones.rw), "GOING_OFFLINE")
  t.is(await served.access(clones.rw), "VBUSY")
  t.is(await served.access(clones.bk), "ok", "other volumes are served")
  t.deepEqual(volserver.ask("VOL_LISTVOLUMES"), OK, "the same connection is answered, too")
  t.false(use.signal.aborted)
  use.release()
  t.deepEqual(await waiting, OK)
  t.is(shown(served, clones.rw), "0/3")
})

test("a checkout without a busy reason tells waiting clients VOFFLINE", async (t) => {
  const served = serve(t)
  const use = await served.volumes.acquire(clones.rw)
  const waiting = need(served.asker("volumeServer"), clones.rw, "VOLUPD")
  t.is(await served.access(clones.rw), "VOFFLINE")
  use.release()
  t.deepEqual(await waiting, OK)
})

for (const [mode, code] of [
  ["VOLUPD", "VOFFLINE"],
  ["CLONE", "VBUSY"],
] as const) {
  test(`offline timeout: users of a volume that is checked out for ${mode} are interrupted with ${code}, and still waited for`, async (t) => {
    const served = serve(t, { offlineTimeoutMs: 5_000 })
    const use = await served.volumes.acquire(clones.rw)
    const waiting = need(served.asker("volumeServer"), clones.rw, mode)
    served.clock.advance(4_999)
    t.false(use.signal.aborted)
    served.clock.advance(1)
    t.true(use.signal.aborted)
    t.is(use.abortCode, code)
    t.is(served.state(clones.rw), "GOING_OFFLINE", "the wait goes on until the user has gone")
    use.release()
    t.deepEqual(await waiting, OK)
  })
}

test("offline timeout: 0 interrupts at once, and none never", async (t) => {
  const impatient = serve(t, { offlineTimeoutMs: 0 })
  const use = await impatient.volumes.acquire(clones.rw)
  const waiting = need(impatient.asker("volumeServer"), clones.rw, "VOLUPD")
  impatient.clock.advance(0)
  t.is(use.abortCode, "VOFFLINE")
  use.release()
  await waiting
  const patient = serve(t)
  const kept = await patient.volumes.acquire(clones.rw)
  const never = need(patient.asker("volumeServer"), clones.rw, "VOLUPD")
  patient.clock.advance(100_000_000)
  t.is(kept.abortCode, undefined)
  kept.release()
  t.deepEqual(await never, OK)
})

test("two checkouts of one type that wait for the same users are both granted; the second one has the volume", async (t) => {
  const served = serve(t)
  const use = await served.volumes.acquire(clones.rw)
  const [first, second] = [served.asker("volumeServer"), served.asker("volumeServer")]
  const waiting = [need(first, clones.rw, "VOLUPD"), need(second, clones.rw, "CLONE")]
  t.deepEqual(need(served.asker("salvageServer"), clones.rw, "VOLUPD"), denied(EXCLUSIVE))
  use.release()
  t.deepEqual(await Promise.all(waiting), [OK, OK])
  t.is(served.volumes.find(clones.rw)?.operation?.request.reason, attachModes.CLONE)
})

test("a checkout whose connection ends while it waits is withdrawn: the volume never leaves service", async (t) => {
  const served = serve(t)
  const use = await served.volumes.acquire(clones.rw)
  const volserver = served.asker("volumeServer")
  const waiting = need(volserver, clones.rw, "CLONE")
  volserver.channel.end()
  t.is(shown(served, clones.rw), "3/-")
  t.is(await served.access(clones.rw), "ok")
  t.deepEqual(await waiting, denied(0))
  use.release()
  t.is(shown(served, clones.rw), "3/-")
})

test("VOL_ON by the same type of program withdraws a checkout that waits", async (t) => {
  const served = serve(t)
  const use = await served.volumes.acquire(clones.rw)
  const waiting = served.asker("debugUtility").ask("VOL_OFF", { volume: clones.rw, reason: WHATEVER })
  t.deepEqual(served.asker("debugUtility").ask("VOL_ON", { volume: clones.rw }), OK)
  t.deepEqual(await waiting, denied(0))
  t.is(shown(served, clones.rw), "3/-")
  use.release()
})

test("a salvage that is asked for while a checkout waits for users ends the checkout", async (t) => {
  const served = serve(t)
  const use = await served.volumes.acquire(clones.rw)
  const waiting = need(served.asker("volumeServer"), clones.rw, "VOLUPD")
  t.deepEqual(served.asker("debugUtility").ask("VOL_FORCE_ERROR", { volume: clones.rw, reason: SALVAGE }), OK)
  t.is(served.state(clones.rw), "SALVAGE_REQ")
  use.release()
  t.deepEqual(await waiting, denied(0))
  await Promise.resolve()
  t.true(["SALVAGING", "SALVSYNC_REQ"].includes(served.state(clones.rw) ?? ""))
})

test("a volume in error is not attached beside users that have not left yet", async (t) => {
  const served = serve(t)
  const operator = served.asker("debugUtility")
  const use = await served.volumes.acquire(clones.rw)
  void operator.ask("VOL_FORCE_ERROR", { volume: clones.rw, reason: WHATEVER })
  t.is(use.abortCode, "VNOVOL")
  const online = operator.ask("VOL_ON", { volume: clones.rw })
  t.true(online instanceof Promise)
  use.release()
  t.deepEqual(await online, OK)
  t.is(served.state(clones.rw), "PREATTACHED")
})

test("a connection keeps at most 128 volumes offline; the limit counts those taken from service, and can be set", async (t) => {
  for (const [checkoutsMax, limit] of [
    [undefined, 128],
    [2, 2],
  ] as const) {
    const served = serve(t, { checkoutsMax })
    const volserver = served.asker("volumeServer")
    const taken = [clones.rw, clones.ro, clones.bk].slice(0, Math.min(3, limit))
    for (const volume of taken) {
      await served.access(volume)
      t.deepEqual(need(volserver, volume, "VOLUPD"), OK)
    }
    if (limit === 128) {
      // the others need not exist: what is counted are volumes in this connection's hands
      for (let volume = 1; volume <= limit - 3; volume++) {
        t.deepEqual(volserver.ask("VOL_ON", { volume }), OK)
        fakeAttach(served, volume)
        t.deepEqual(need(volserver, volume, "VOLUPD"), OK, `${volume}`)
      }
    }
    t.deepEqual(need(volserver, clones.otherRw, "VOLUPD"), denied(0))
    t.deepEqual(need(volserver, 4711, "VOLUPD"), denied(0), "also a volume that nobody knows")
    t.deepEqual(need(volserver, clones.rw, "VOLUPD"), OK, "also a volume in its hands")
    t.deepEqual(
      need(served.asker("volumeServer"), clones.otherRw, "VOLUPD"),
      OK,
      "another connection has its own table",
    )
    t.deepEqual(volserver.ask("VOL_ON", { volume: clones.rw }), OK)
    t.deepEqual(need(volserver, clones.otherBk, "VOLUPD"), OK, "room again")
    volserver.channel.end()
    t.is(served.state(clones.ro), "PREATTACHED")
    t.is(await served.access(clones.ro), "ok")
  }
})

/** A volume without files that counts as attached. */
function fakeAttach(served: Served, volume: number): void {
  const found = served.volumes.find(volume)
  found?.cell.change("ATTACHING", 0)
  found?.cell.change("ATTACHED", 0)
}

test("the debug tool's checkouts are not counted, and stay when its connection ends", async (t) => {
  const served = serve(t, { checkoutsMax: 1 })
  const operator = served.asker("debugUtility")
  for (const volume of [clones.rw, clones.ro, clones.bk]) {
    await served.access(volume)
    t.deepEqual(operator.ask("VOL_OFF", { volume, reason: WHATEVER }), OK)
  }
  operator.channel.end()
  served.clock.advance(60_000)
  t.is(shown(served, clones.rw), "0/3")
  t.is(await served.access(clones.rw), "VOFFLINE")
})

test("lost connection: what it took offline is served again", async (t) => {
  const served = serve(t)
  const volserver = served.asker("volumeServer")
  await served.access(clones.rw)
  void need(volserver, clones.rw, "CLONE")
  volserver.channel.end()
  t.is(shown(served, clones.rw), "1/-")
  t.is(await served.access(clones.rw), "ok")
})

/** OpenAFS 1.8.9 kept such a checkout for ever: 110 for clients, EXCLUSIVE for salvagers. */
test("lost connection: a dead program's checkout of a volume that was not attached is dropped, too", async (t) => {
  const served = serve(t)
  for (const access of [false, true]) {
    const volserver = served.asker("volumeServer", noProcess)
    void need(volserver, clones.rw, "CLONE")
    if (access) t.is(await served.access(clones.rw), "VBUSY")
    volserver.channel.end()
    t.is(shown(served, clones.rw), "1/-")
    t.is(await served.access(clones.rw), "ok")
    void need(served.asker("debugUtility"), clones.rw, "VOLUPD")
    void served.asker("debugUtility").ask("VOL_ON", { volume: clones.rw })
  }
})

test("lost connection: a living program has 5 seconds to come back, and keeps the volume by verifying its checkout", async (t) => {
  const served = serve(t)
  const lost = served.asker("volumeServer")
  void need(lost, clones.rw, "CLONE")
  void need(lost, clones.otherRw, "CLONE")
  lost.channel.end()
  served.clock.advance(4_000)
  t.is(shown(served, clones.rw), "1/4")
  const back = served.asker("volumeServer")
  t.is((await back.ask("VOL_QUERY_VOP", { volume: clones.rw })).response, responses.OK)
  served.clock.advance(60_000)
  t.is(shown(served, clones.rw), "1/4", "verified over the new connection")
  t.is(shown(served, clones.otherRw), "1/-", "nobody came back for this one")
  t.is(served.volumes.handover.lostCheckouts, 0)
  back.channel.end()
  served.clock.advance(60_000)
  t.is(shown(served, clones.rw), "1/-")
})

test("lost connection: a query by another program does not adopt the checkout", async (t) => {
  const served = serve(t)
  const lost = served.asker("volumeServer")
  void need(lost, clones.rw, "CLONE")
  lost.channel.end()
  await served.asker("debugUtility").ask("VOL_QUERY_VOP", { volume: clones.rw })
  await served.asker("volumeServer", noProcess).ask("VOL_QUERY_VOP", { volume: clones.rw })
  served.clock.advance(60_000)
  t.is(shown(served, clones.rw), "1/-")
})

test("lost connection: nothing is dropped while the volume's lock is held, and soon after it is free", async (t) => {
  const served = serve(t)
  const volserver = served.asker("volumeServer", noProcess)
  await served.access(clones.rw)
  void need(volserver, clones.rw, "CLONE")
  const lock = lockVolume(served.partition, clones.rw, "read", "somebody's work")
  volserver.channel.end()
  served.clock.advance(60_000)
  t.is(shown(served, clones.rw), "0/3")
  t.is(await served.access(clones.rw), "VBUSY")
  lock.release()
  served.clock.advance(500)
  t.is(shown(served, clones.rw), "1/-")
  t.is(await served.access(clones.rw), "ok")
})

test("lost connection: a checkout that another connection of the type has replaced stays", async (t) => {
  const served = serve(t)
  const [first, second] = [served.asker("salvageServer"), served.asker("salvageServer")]
  await served.access(clones.rw)
  void salvageOff(first, clones.rw)
  void salvageOff(second, clones.rw)
  first.channel.end()
  served.clock.advance(60_000)
  t.is(shown(served, clones.rw), "0/4")
  second.channel.end()
  t.is(shown(served, clones.rw), "0/4", "its process lives: it may come back")
  served.clock.advance(60_000)
  t.is(shown(served, clones.rw), "1/-", "it was in service before the first of them")
})

test("lost connection: a volume that an operator had taken out of service stays out", async (t) => {
  const served = serve(t)
  const volserver = served.asker("volumeServer", noProcess)
  void need(volserver, clones.rw, "VOLUPD")
  void volserver.ask("VOL_LEAVE_OFF", { volume: clones.rw })
  void need(volserver, clones.rw, "CLONE")
  volserver.channel.end()
  t.is(shown(served, clones.rw), "0/-")
})

test("a request that waits does nothing any more when its connection has ended", async (t) => {
  const served = serve(t, {
    salvager: { jobs: [], answer: new Promise<boolean>(() => undefined), request: () => new Promise(() => undefined) },
  })
  const volserver = served.asker("volumeServer")
  void served.asker("debugUtility").ask("VOL_FORCE_ERROR", { volume: clones.rw, reason: SALVAGE })
  t.is(served.state(clones.rw), "SALVSYNC_REQ")
  const waiting = volserver.ask("VOL_FORCE_ERROR", { volume: clones.rw, reason: WHATEVER })
  t.true(waiting instanceof Promise)
  volserver.channel.end()
  served.volumes.find(clones.rw)?.cell.wake()
  t.deepEqual(await waiting, denied(0))
})

test("a volume whose information cannot be written when it goes offline is refused to the asker and salvaged", async (t) => {
  const partition = fixturePartition(t)
  let broken = false
  const disk: typeof partition.disk = {
    ...partition.disk,
    open(path, mode, permissions) {
      const file = partition.disk.open(path, mode, permissions)
      if (!broken || mode !== "write") return file
      file.close()
      return partition.disk.open(`${path}/none`, mode)
    },
  }
  const served = serve(t, { partitions: [{ ...partition, disk }] })
  await served.access(clones.rw)
  await served.access(clones.bk)
  broken = true
  t.deepEqual(need(served.asker("volumeServer"), clones.rw, "VOLUPD"), denied(0))
  t.deepEqual(need(served.asker("volumeServer"), clones.bk, "CLONE"), denied(0), "one that would have stayed online")
  t.deepEqual(
    served.salvager.jobs.map((job) => job.volume),
    [clones.rw, clones.bk],
  )
  t.is(infoOnDisk(partition, clones.rw).inUse, 1, "the next attach will see that it needs a salvage")
})

test("a use may be ended twice, and aborted only once", async (t) => {
  const served = serve(t)
  const use = await served.volumes.acquire(clones.rw)
  t.true(use instanceof VolumeUse)
  use.abort("VBUSY")
  use.abort("VOFFLINE")
  t.is(use.abortCode, "VBUSY")
  t.true(use.signal.aborted)
  use.release()
  use.release()
  t.is(served.volumes.find(clones.rw)?.users, 0)
})

test("a volume not in service answers VOFFLINE and can be brought back by VOL_ON", async (t) => {
  const served = serve(t)
  patchInfo(served.partition, clones.rw, (info) => {
    info.inService = 0
  })
  t.is(await served.access(clones.rw), "VOFFLINE")
  t.is(served.state(clones.rw), "UNATTACHED")
  patchInfo(served.partition, clones.rw, (info) => {
    info.inService = 1
  })
  t.is(await served.access(clones.rw), "VOFFLINE", "until VOL_ON")
  void served.asker("volumeServer").ask("VOL_ON", { volume: clones.rw })
  t.is(await served.access(clones.rw), "ok")
})
