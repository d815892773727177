import test from "ava"
import { attachModes, programTypes } from "../../common/protocol/codes.ts"
import { Attachment } from "../../common/volume/attachment.ts"
import { VolumeUse } from "../../common/volume/server-volume.ts"
import { newVolumeHeader } from "../../common/volume/volume-header.ts"
import { newVolumeInfo, volumeInfoLayout } from "../../common/volume/volume-info.ts"
import { fssyncCommands, fssyncReasons, responses, type SyncAnswer } from "../../fssync/message.ts"
import type { GeneralStats, HashStats, VlruStats, VolumeReport, VolumeRow } from "../../fssync/payload.ts"
import { fuzzMs, seededRandom } from "../support/random.ts"
import { type Asker, clones, infoOnDisk, type Served, serve } from "../support/served-volumes.ts"

const { UNKNOWN_VOLID, WRONG_PART, BAD_PART, PART_SCANNING, WHATEVER, HDR_NOT_ATTACHED, NO_PENDING_VOL_OP } =
  fssyncReasons
const OK = { response: responses.OK, reason: 0 }
const OK_WHATEVER = { response: responses.OK, reason: WHATEVER }
const failed = (reason: number): SyncAnswer => ({ response: responses.FAILED, reason })
const denied = (reason: number): SyncAnswer => ({ response: responses.DENIED, reason })

async function payload<T>(answer: SyncAnswer | Promise<SyncAnswer>): Promise<T> {
  const { response, payload: carried } = await answer
  if (response !== responses.OK) throw new Error(`response ${response}`)
  return carried as T // the codec checks shapes; these tests read fields
}

const anybody = (served: Served): Asker => served.asker("debugUtility")

test("FSSYNC: every command of the table is answered, and a number that is none is a bad command", async (t) => {
  const served = serve(t)
  const who = anybody(served)
  for (const name of Object.keys(fssyncCommands) as (keyof typeof fssyncCommands)[]) {
    const answer = await who.ask(name, { volume: clones.rw })
    t.not(answer.response, responses.BAD_COMMAND, name)
  }
  const request = {
    command: 65560,
    reason: 0,
    programType: 5,
    pid: 1,
    thread: 0,
    volume: 0,
    partition: "",
    parent: 0,
    vnode: 0,
    unique: 0,
  }
  t.deepEqual(served.service.handle(request, who.channel), { response: responses.BAD_COMMAND, reason: 0 })
})

for (const command of ["VOL_QUERY", "VOL_QUERY_HDR", "VOL_QUERY_VOP"] as const) {
  test(`FSSYNC ${command}: unknown volumes and other partitions are failures, no partition matches any`, async (t) => {
    const served = serve(t)
    const who = anybody(served)
    t.deepEqual(await who.ask(command, { volume: 4711 }), failed(UNKNOWN_VOLID))
    t.deepEqual(await who.ask(command, { volume: clones.rw, partition: "/vicepz" }), failed(WRONG_PART))
    const any = await who.ask(command, { volume: clones.rw, partition: "" })
    const named = await who.ask(command, { volume: clones.rw })
    t.deepEqual(any, named)
    t.not(any.reason, WRONG_PART)
  })
}

test("FSSYNC VOL_QUERY: tells a volume's state, users and history in every state, deleted ones included", async (t) => {
  const served = serve(t)
  const who = anybody(served)
  const query = (volume: number): Promise<VolumeReport> => payload<VolumeReport>(who.ask("VOL_QUERY", { volume }))
  const before = await query(clones.rw)
  t.deepEqual([before.attach_state, before.attach_flags, before.header, before.vlru.idx], [1, 0x18, false, 5])
  const use = await served.volumes.acquire(clones.rw)
  const used = await query(clones.rw)
  t.deepEqual([used.attach_state, used.attach_flags, used.nUsers, used.vlru.idx, used.device], [3, 0x5b, 1, 0, 0])
  t.deepEqual(
    used.transitions.map(({ from, to }) => [from, to]),
    [
      [1, 2],
      [2, 3],
    ],
  )
  use.release()
  t.is((await query(clones.rw)).attach_flags, 0x5f)
  await who.ask("VOL_NEEDVOLUME", { volume: clones.rw, reason: attachModes.CLONE })
  const out = await query(clones.rw)
  t.deepEqual(
    [out.attach_state, out.specialStatus, out.pending_vol_op, out.checkoutMode],
    [0, 110, true, attachModes.CLONE],
  )
  await who.ask("VOL_DONE", { volume: clones.rw })
  t.is((await query(clones.rw)).attach_state, 20)
})

test("FSSYNC VOL_QUERY: a salvage that is wanted shows", async (t) => {
  const served = serve(t)
  await anybody(served).ask("VOL_FORCE_ERROR", { volume: clones.rw, reason: fssyncReasons.SALVAGE })
  const asking = await payload<VolumeReport>(anybody(served).ask("VOL_QUERY", { volume: clones.rw }))
  t.deepEqual([asking.attach_state, asking.salvage.scheduling, asking.salvage.requested], [12, true, true])
  await new Promise((resolve) => setImmediate(resolve))
  await served.access(clones.rw)
  const { salvage, attach_state } = await payload<VolumeReport>(anybody(served).ask("VOL_QUERY", { volume: clones.rw }))
  t.deepEqual(
    { attach_state, ...salvage },
    { attach_state: 13, prio: 1, reason: 65537, requested: true, scheduled: true, scheduling: false },
  )
})

test("FSSYNC VOL_QUERY_HDR: the copy in core of an attached volume, and none of another", async (t) => {
  const served = serve(t)
  const who = anybody(served)
  t.deepEqual(await who.ask("VOL_QUERY_HDR", { volume: clones.rw }), failed(HDR_NOT_ATTACHED))
  await served.access(clones.rw)
  served.volumes.find(clones.rw)?.attachment?.edit((info) => {
    info.dayUse = 4711
  })
  const info = await payload<{ id: number; dayUse: number; inUse: number }>(
    who.ask("VOL_QUERY_HDR", { volume: clones.rw }),
  )
  t.deepEqual([info.id, info.dayUse, info.inUse], [clones.rw, 4711, 1])
  await who.ask("VOL_OFF", { volume: clones.rw })
  t.deepEqual(await who.ask("VOL_QUERY_HDR", { volume: clones.rw }), failed(HDR_NOT_ATTACHED))
})

test("FSSYNC VOL_QUERY_VOP: echoes the checkout as it was sent, with the state of the operation", async (t) => {
  const served = serve(t)
  const volserver = served.asker("volumeServer", 4711)
  t.deepEqual(await volserver.ask("VOL_QUERY_VOP", { volume: clones.rw }), failed(NO_PENDING_VOL_OP))
  await volserver.ask("VOL_NEEDVOLUME", { volume: clones.rw, reason: attachModes.CLONE })
  const request = {
    command: fssyncCommands.VOL_NEEDVOLUME,
    reason: attachModes.CLONE,
    programType: programTypes.volumeServer,
    pid: 4711,
    thread: 7,
    volume: clones.rw,
    partition: "/vicepa",
    parent: 0,
    vnode: 0,
    unique: 0,
  }
  const query = (volume: number): SyncAnswer | Promise<SyncAnswer> => anybody(served).ask("VOL_QUERY_VOP", { volume })
  t.deepEqual(await query(clones.rw), { ...OK, payload: { request, state: 4 } })
  await served.access(clones.rw)
  t.deepEqual(await query(clones.rw), { ...OK, payload: { request, state: 3 } })
  await served.access(clones.bk)
  await volserver.ask("VOL_NEEDVOLUME", { volume: clones.bk, reason: attachModes.DUMP })
  t.is((await payload<{ state: number }>(query(clones.bk))).state, 2)
})

test("FSSYNC VOL_QUERY_VNODE: a vnode in core is shown as it is on disk; never a crash where there is none", async (t) => {
  const served = serve(t)
  const who = anybody(served)
  const root = { volume: clones.rw, vnode: 1, unique: 1 }
  t.deepEqual(await who.ask("VOL_QUERY_VNODE", { ...root, volume: 4711 }), failed(UNKNOWN_VOLID))
  t.deepEqual(await who.ask("VOL_QUERY_VNODE", root), failed(fssyncReasons.UNKNOWN_VNID))
  using use = await served.volumes.acquire(clones.rw)
  t.deepEqual(await who.ask("VOL_QUERY_VNODE", root), failed(fssyncReasons.UNKNOWN_VNID))
  const vnode = use.attached.vnode(1, 1)
  const answer = await who.ask("VOL_QUERY_VNODE", root)
  t.like(answer, {
    response: OK.response,
    payload: { vnodeNumber: 1, volume: clones.rw, Vn_state: 4, nUsers: 0, nReaders: 0 },
  })
  t.deepEqual(await who.ask("VOL_QUERY_VNODE", { ...root, unique: 2 }), failed(fssyncReasons.UNKNOWN_VNID))
  const release = vnode.lock.tryRead()
  t.like(await who.ask("VOL_QUERY_VNODE", root), { payload: { Vn_state: 8, nUsers: 1, nReaders: 1 } })
  release?.[Symbol.dispose]()
})

test("FSSYNC: LISTVOLUMES and BREAKCBKS are always OK", async (t) => {
  const served = serve(t)
  const who = anybody(served)
  t.deepEqual(await who.ask("VOL_LISTVOLUMES", { volume: 0, partition: "" }), OK)
  t.deepEqual(await who.ask("VOL_BREAKCBKS", { volume: clones.rw, partition: "" }), OK)
  t.deepEqual(await who.ask("VOL_BREAKCBKS", { volume: 4711, partition: "/nowhere" }), OK)
  t.deepEqual(served.broken, [clones.rw, 4711])
})

test("FSSYNC VG_*: a partition that does not exist, or is not named, is BAD_PART", async (t) => {
  const who = anybody(serve(t))
  for (const command of ["VG_QUERY", "VG_ADD", "VG_DEL", "VG_SCAN"] as const) {
    for (const partition of ["", "/vicepz"])
      t.deepEqual(await who.ask(command, { volume: 1, partition }), failed(BAD_PART), command)
  }
  t.deepEqual(await who.ask("VG_SCAN_ALL", { partition: "/vicepz" }), OK, "whose partition is not looked at")
})

test("FSSYNC VG_*: answers before, during and after the scan", async (t) => {
  const served = serve(t)
  const who = anybody(served)
  const groups = served.volumes.groups("/vicepa")
  t.deepEqual(await who.ask("VG_ADD", { volume: 99, parent: clones.rw }), OK_WHATEVER, "nothing is stored")
  t.deepEqual(await who.ask("VG_DEL", { volume: 99, parent: clones.rw }), OK_WHATEVER)
  for (let query = 0; query < 10; query++)
    t.deepEqual(who.ask("VG_QUERY", { volume: clones.rw }), failed(PART_SCANNING))
  await groups?.idle()
  const members = [clones.rw, clones.ro, clones.bk]
  const group = { ...OK, payload: { parent: clones.rw, members } }
  for (const volume of members) t.deepEqual(await who.ask("VG_QUERY", { volume }), group)
  t.deepEqual(await who.ask("VG_QUERY", { volume: 99 }), failed(UNKNOWN_VOLID))
  t.deepEqual(await who.ask("VG_ADD", { volume: 99, parent: clones.rw }), OK_WHATEVER)
  t.deepEqual(await who.ask("VG_ADD", { volume: 99, parent: clones.rw }), OK_WHATEVER, "the same again")
  t.deepEqual(await who.ask("VG_ADD", { volume: 99, parent: clones.otherRw }), failed(WHATEVER))
  t.deepEqual(await who.ask("VG_DEL", { volume: 99, parent: clones.otherRw }), failed(WHATEVER))
  t.deepEqual(await who.ask("VG_DEL", { volume: 99, parent: 0 }), OK_WHATEVER)
  t.deepEqual(await who.ask("VG_DEL", { volume: 99, parent: 0 }), failed(UNKNOWN_VOLID))
})

/** OpenAFS 1.8.9 loses the running scan's delete list and crashes soon after. */
test("FSSYNC VG_SCAN: refused while a scan runs, and the running one ends complete", async (t) => {
  const served = serve(t)
  const who = anybody(served)
  t.deepEqual(who.ask("VG_SCAN"), OK)
  t.deepEqual(who.ask("VG_SCAN"), failed(0))
  t.deepEqual(who.ask("VG_SCAN_ALL"), failed(0))
  void who.ask("VG_DEL", { volume: clones.bk, parent: clones.rw }) // whether the scan has seen it or not
  await served.volumes.groups("/vicepa")?.idle()
  t.deepEqual(await who.ask("VG_QUERY", { volume: clones.rw }), {
    ...OK,
    payload: { parent: clones.rw, members: [clones.rw, clones.ro] },
  })
  t.deepEqual(await who.ask("VG_SCAN_ALL"), OK)
})

test("FSSYNC statistics: volumes by state, counters, space, chains and generations", async (t) => {
  const served = serve(t)
  const who = anybody(served)
  await served.access(clones.rw)
  await who.ask("VOL_OFF", { volume: clones.ro })
  const general = await payload<GeneralStats>(who.ask("VOL_STATS_GENERAL"))
  t.deepEqual([general.state_levels.length, general.state_levels[1], general.state_levels[3]], [24, 4, 1])
  t.deepEqual([general.attaches, general.vol_ops, general.hash_looks, general.hdr_cache_size], [1, 1, 1, 1])
  const space = await payload<{ free: number; totalUsable: number; vol_list_len: number }>(who.ask("VOL_STATS_VICEP"))
  t.true(space.free > 0 && space.totalUsable >= space.free)
  t.is(space.vol_list_len, 5)
  t.deepEqual(await who.ask("VOL_STATS_VICEP", { partition: "/vicepz" }), failed(0))
  const chain = await payload<HashStats>(who.ask("VOL_STATS_HASH", { volume: clones.rw % 1024 }))
  t.deepEqual([chain.table_size, chain.chain_len, chain.chain_looks], [1024, 1, 1])
  t.deepEqual(await who.ask("VOL_STATS_HASH", { volume: 1024 }), failed(0))
  t.deepEqual(await payload(who.ask("VOL_STATS_HDR")), { free: 0, used: 1, attached: 0 })
  const vlru = await payload<VlruStats>(who.ask("VOL_STATS_VLRU", { volume: 0 }))
  t.deepEqual(vlru, { idx: 0, lengths: [1, 0, 0, 0, 0], volumes: [clones.rw] })
  t.deepEqual(await who.ask("VOL_STATS_VLRU", { volume: 5 }), failed(0))
})

test("FSSYNC VOL_GET: attaches and keeps the volume in use until PUT, as often as it was got", async (t) => {
  const served = serve(t)
  const who = anybody(served)
  for (let uses = 1; uses <= 2; uses++) t.deepEqual(await who.ask("VOL_GET", { volume: clones.rw }), OK)
  t.is(served.volumes.find(clones.rw)?.users, 2)
  t.deepEqual(
    await served.asker("debugUtility").ask("VOL_PUT", { volume: clones.rw }),
    failed(UNKNOWN_VOLID),
    "not another connection's",
  )
  t.deepEqual(await who.ask("VOL_PUT", { volume: clones.rw }), OK)
  t.deepEqual(await who.ask("VOL_PUT", { volume: clones.rw }), OK)
  t.deepEqual(await who.ask("VOL_PUT", { volume: clones.rw }), failed(UNKNOWN_VOLID))
  t.is(served.volumes.find(clones.rw)?.users, 0)
})

test("FSSYNC VOL_GET: refuses with the code that a client gets", async (t) => {
  const served = serve(t)
  const who = anybody(served)
  t.deepEqual(await who.ask("VOL_GET", { volume: 4711 }), denied(103))
  t.deepEqual(await who.ask("VOL_GET", { volume: clones.rw, partition: "/vicepz" }), failed(WRONG_PART))
  await who.ask("VOL_OFF", { volume: clones.rw })
  t.deepEqual(await who.ask("VOL_GET", { volume: clones.rw }), denied(106))
  await who.ask("VOL_FORCE_ERROR", { volume: clones.bk, reason: fssyncReasons.SALVAGE })
  t.deepEqual(await who.ask("VOL_GET", { volume: clones.bk }), denied(110))
  served.clock.advance(600_000)
  t.deepEqual(await who.ask("VOL_GET", { volume: clones.bk }), denied(-100))
})

test("FSSYNC VOL_PUT: tells of a use that ended because its volume had to go offline", async (t) => {
  const served = serve(t, { offlineTimeoutMs: 1_000 })
  const client = anybody(served)
  await client.ask("VOL_GET", { volume: clones.rw })
  const waiting = served.asker("volumeServer").ask("VOL_NEEDVOLUME", { volume: clones.rw, reason: attachModes.CLONE })
  served.clock.advance(1_000)
  t.deepEqual(await waiting, OK)
  t.deepEqual(await client.ask("VOL_PUT", { volume: clones.rw }), denied(110))
})

test("FSSYNC: the end of a connection ends its uses, and its checkouts", async (t) => {
  const served = serve(t)
  const who = served.asker("volumeServer")
  await who.ask("VOL_GET", { volume: clones.rw })
  await served.access(clones.bk)
  await who.ask("VOL_NEEDVOLUME", { volume: clones.bk, reason: attachModes.VOLUPD })
  const waiting = served.asker("volumeServer").ask("VOL_NEEDVOLUME", { volume: clones.rw, reason: attachModes.VOLUPD })
  who.channel.end()
  t.deepEqual(await waiting, OK)
  t.is(served.state(clones.bk), "PREATTACHED")
})

test("FSSYNC VOL_LIST: a row per volume, of one partition or all", async (t) => {
  const served = serve(t)
  const volserver = served.asker("volumeServer")
  await volserver.ask("VOL_NEEDVOLUME", { volume: clones.rw, reason: attachModes.CLONE })
  for (const partition of ["", "/vicepa"]) {
    const rows = await payload<VolumeRow[]>(volserver.ask("VOL_LIST", { partition }))
    t.deepEqual(
      rows.map((row) => row.volume),
      Object.values(clones),
    )
    t.deepEqual(rows[0]?.pending_vol_op, { command: 65539, reason: 2, programType: 6, pid: process.pid })
    t.is(rows[1]?.pending_vol_op, undefined)
  }
  t.deepEqual(await volserver.ask("VOL_LIST", { partition: "/vicepz" }), failed(BAD_PART))
})

test("FSSYNC SERVER_STATUS: process, partitions and their volumes", async (t) => {
  const served = serve(t)
  const status = await payload<object>(anybody(served).ask("SERVER_STATUS"))
  t.deepEqual(status, {
    pid: process.pid,
    version: "1",
    startTime: 1,
    partitions: [{ name: "/vicepa", path: served.partition.path, volumes: 5 }],
    options: [],
  })
})

test("FSSYNC: whatever is asked in whatever order, no request is unanswered, and every volume can still be used", async (t) => {
  const { below, pick } = seededRandom(t)
  const served = serve(t, { offlineTimeoutMs: 1_000 })
  const types = [
    "volumeServer",
    "salvageServer",
    "volumeSalvager",
    "debugUtility",
    "volumeUtility",
    "fileServer",
  ] as const
  const newAsker = (): Asker => served.asker(pick(types), pick([process.pid, 0x7fff_fff0]))
  let askers = Array.from({ length: 6 }, newAsker)
  const names = Object.keys(fssyncCommands) as (keyof typeof fssyncCommands)[]
  const pending = new Set<Promise<unknown>>()
  const end = performance.now() + fuzzMs
  while (performance.now() < end) {
    if (below(30) === 0) pick(askers).channel.end()
    askers = askers.map((asker) => (asker.channel.closed.aborted ? newAsker() : asker))
    const fields = {
      volume: pick([...Object.values(clones), 4711]),
      partition: pick(["/vicepa", "/vicepa", "", "/vicepz"]),
      reason: pick([0, 1, 2, 3, 4, 65536, 65537, 99]),
      parent: pick([0, clones.rw, clones.otherRw]),
    }
    const answer = pick(askers).ask(pick(names), fields)
    if (answer instanceof Promise) {
      pending.add(answer)
      void answer.finally(() => pending.delete(answer))
    }
    if (below(5) === 0) served.clock.advance(below(3_000))
    if (below(5) === 0) await new Promise((resolve) => setImmediate(resolve))
  }
  for (const { channel } of askers) channel.end()
  for (let round = 0; round < 50 && pending.size > 0; round++) {
    served.clock.advance(10_000)
    await new Promise((resolve) => setImmediate(resolve))
  }
  t.is(pending.size, 0, "every request was answered")
  const operator = served.asker("debugUtility")
  for (const volume of Object.values(clones)) {
    const pendingType = served.volumes.find(volume)?.operation?.request.programType
    const owner = pendingType === undefined ? undefined : types.find((type) => programTypes[type] === pendingType)
    await (owner === undefined ? operator : served.asker(owner)).ask("VOL_ON", { volume })
    const got = await served.access(volume)
    t.true(["ok", "VBUSY", "VNOVOL"].includes(got), `${volume}: ${got}`)
    if (got === "ok") t.is(infoOnDisk(served.partition, volume).inUse, 1)
  }
})

test("FSSYNC: a use of a volume that was detached meanwhile ends without harm", async (t) => {
  const served = serve(t)
  await served.access(clones.rw)
  const volume = served.volumes.find(clones.rw)
  if (volume === undefined) return t.fail()
  const stale = new Attachment(newVolumeHeader(5, 5), volumeInfoLayout.encode(newVolumeInfo({ id: 5 })))
  const use = new VolumeUse(volume, stale)
  await anybody(served).ask("VOL_FORCE_ERROR", { volume: clones.rw, reason: WHATEVER })
  use.release()
  t.is(volume.users, 0)
})
