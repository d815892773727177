/** What clients see of promises and breaks, over Rx: the scripted cache managers hear what a real one would. */
import test from "ava"
import { fid } from "../support/cache-manager.ts"
import { addressOf, ClientRig, type RigClient, serverUuid, uuidOf } from "../support/client-rig.ts"

const object = fid(5, 2, 2)
const init3 = `InitCallBackState3 ${serverUuid}`
const minute = 60_000
const storeAsk = (Fid = object) => ({
  Fid,
  InStatus: { Mask: 0, ClientModTime: 0, Owner: 0, Group: 0, UnixModeBits: 0, SegSize: 0 },
})

/** Clients that have called, and of which nothing is heard yet. */
async function known(rig: ClientRig, count: number): Promise<RigClient[]> {
  const clients = Array.from({ length: count }, (_, nth) => rig.client(addressOf(nth + 1), { uuid: uuidOf(nth + 1) }))
  for (const client of clients) {
    await rig.until(client.calls.GetCapabilities())
    client.manager.news()
  }
  return clients
}

/** Two of them: one that has a promise on the object, and one that writes. */
async function holderAndWriter(rig: ClientRig): Promise<[RigClient, RigClient]> {
  const [holder, writer] = await known(rig, 2)
  if (holder === undefined || writer === undefined) throw new Error("two clients were wanted")
  await rig.until(holder.calls.FetchStatus({ Fid: object }))
  return [holder, writer]
}

test("clients: two changes cost one break, which is told before the writer has its answer", async (t) => {
  const rig = new ClientRig()
  const [holder, writer] = await holderAndWriter(rig)
  const told: string[] = []
  holder.manager.onHeard = () => told.push("holder")
  await rig.until(writer.calls.StoreStatus(storeAsk()).then(() => told.push("writer")))
  await rig.until(writer.calls.StoreStatus(storeAsk()))
  t.deepEqual(told, ["holder", "writer"])
  t.deepEqual(holder.manager.heard, ["CallBack 5.2.2"])
  await rig.until(holder.calls.FetchStatus({ Fid: object }))
  await rig.until(writer.calls.StoreStatus(storeAsk()))
  t.deepEqual(holder.manager.heard, ["CallBack 5.2.2", "CallBack 5.2.2"])
})

test("clients: the writer is not told of its own change, and keeps its promise", async (t) => {
  const rig = new ClientRig()
  const [holder, writer] = await holderAndWriter(rig)
  await rig.until(writer.calls.FetchStatus({ Fid: object }))
  await rig.until(writer.calls.StoreStatus(storeAsk()))
  t.deepEqual(writer.manager.heard, [])
  await rig.until(holder.calls.StoreStatus(storeAsk()))
  t.deepEqual(writer.manager.heard, ["CallBack 5.2.2"])
})

test("clients: the ninth, seventeenth and sixty-fifth client of an object get shorter promises", async (t) => {
  const rig = new ClientRig()
  const clients = await known(rig, 65)
  const told: number[] = []
  for (const { calls } of clients)
    told.push((await rig.until(calls.FetchStatus({ Fid: object }))).CallBack.ExpirationTime)
  for (const [nth, lifetime] of [
    [0, 14_400],
    [7, 14_400],
    [8, 3_600],
    [16, 1_800],
    [24, 900],
    [40, 600],
    [64, 420],
  ] as const)
    t.true((told[nth] ?? 0) >= lifetime && (told[nth] ?? 0) < lifetime + 128, `${nth}: ${told[nth]}`)
  const replica = await rig.until((clients[0] as RigClient).calls.FetchStatus({ Fid: fid(1000, 2, 2) }))
  t.true(replica.CallBack.ExpirationTime >= 7_200 && replica.CallBack.ExpirationTime < 7_328)
  const [first] = clients
  const bulk = await rig.until(
    first?.calls.InlineBulkStatus({ FidsArray: [fid(5, 4, 4), fid(5, 6, 6)] }) ?? Promise.reject(),
  )
  for (const { ExpirationTime } of bulk.CBArray) t.true(ExpirationTime >= 1_800 && ExpirationTime < 1_928)
  const writer = rig.client(addressOf(99), { uuid: uuidOf(99) })
  t.true((await rig.timed(writer.calls.StoreStatus(storeAsk()))) < 20, "all were told at the same time")
  for (const { manager } of clients) t.deepEqual(manager.heard, ["CallBack 5.2.2"])
})

test("clients: what was given up is not told of; giving up everything leaves the host known", async (t) => {
  const rig = new ClientRig()
  const [holder, writer] = await holderAndWriter(rig)
  await rig.until(holder.calls.FetchStatus({ Fid: fid(5, 4, 4) }))
  await rig.until(holder.calls.GiveUpCallBacks({ Fids_Array: [object], CallBacks_Array: [] }))
  await rig.until(writer.calls.StoreStatus(storeAsk()))
  await rig.until(holder.calls.GiveUpAllCallBacks())
  await rig.until(writer.calls.StoreStatus(storeAsk(fid(5, 4, 4))))
  await rig.until(holder.calls.GetCapabilities())
  t.deepEqual(holder.manager.heard, [])
})

test("clients: a silent client delays one change, and hears of all of them before its next call is served", async (t) => {
  const rig = new ClientRig()
  const [holder, writer] = await holderAndWriter(rig)
  const others = [fid(5, 4, 4), fid(5, 6, 6)]
  for (const other of others) await rig.until(holder.calls.FetchStatus({ Fid: other }))
  holder.setSilent(true)
  const first = await rig.timed(writer.calls.StoreStatus(storeAsk()))
  t.true(first >= 5_000 && first < 8_000, `${first} ms`)
  for (const other of others) t.true((await rig.timed(writer.calls.StoreStatus(storeAsk(other)))) < 5)
  holder.setSilent(false)
  const sequence: string[] = []
  holder.manager.onHeard = (call) => sequence.push(call)
  await rig.until(holder.calls.GetCapabilities().then(() => sequence.push("served")))
  t.is(sequence.length, 2)
  t.deepEqual(sequence[0]?.split(" ").sort(), ["5.2.2", "5.4.4", "5.6.6", "CallBack", "dropped", "dropped", "dropped"])
  await rig.until(holder.calls.GetCapabilities())
  t.is(holder.manager.heard.length, 1)
})

test("clients: one that is silent holds up nobody who has nothing to do with it", async (t) => {
  const rig = new ClientRig()
  const [silent, holder, writer] = await known(rig, 3)
  if (silent === undefined || holder === undefined || writer === undefined) throw new Error("three clients were wanted")
  for (let vnode = 2; vnode <= 40; vnode += 2) await rig.until(silent.calls.FetchStatus({ Fid: fid(5, vnode, 1) }))
  await rig.until(holder.calls.FetchStatus({ Fid: fid(6, 2, 1) }))
  silent.setSilent(true)
  const stuck = Array.from({ length: 20 }, (_, nth) => writer.connect().StoreStatus(storeAsk(fid(5, 2 * nth + 2, 1))))
  await rig.pass(10)
  t.true((await rig.timed(writer.connect().StoreStatus(storeAsk(fid(6, 2, 1))))) < 5)
  t.deepEqual(holder.manager.heard, ["CallBack 6.2.1"])
  t.true((await rig.timed(Promise.all(stuck))) < 8_000, "all wait for the same dead time")
  silent.setSilent(false)
  await rig.until(silent.calls.GetCapabilities())
  t.is(silent.manager.heard.flatMap((call) => call.split(" ")).filter((word) => word.startsWith("5.")).length, 20)
})

test("clients: many breaks for one host go fifty at a time", async (t) => {
  const rig = new ClientRig()
  const [holder] = await known(rig, 1)
  if (holder === undefined) throw new Error("a client was wanted")
  const fids = Array.from({ length: 200 }, (_, nth) => fid(5, 2 * nth, 1))
  for (const Fid of fids) await rig.until(holder.calls.FetchStatus({ Fid }))
  const told = fids.map((one) => rig.clients.callbacks.break(one))
  await rig.until(Promise.all(told))
  const counts = holder.manager.heard.map((call) => call.split(" ").length - 1)
  t.deepEqual(counts, [1, 1, 1, 1, 50, 50, 50, 46])
})

test("clients: a host with other addresses is told at one that answers", async (t) => {
  const rig = new ClientRig()
  const one = rig.client(addressOf(1), { uuid: uuidOf(1) })
  const two = rig.client(addressOf(2), { uuid: uuidOf(1) })
  const writer = rig.client(addressOf(3), { uuid: uuidOf(3) })
  await rig.until(one.calls.FetchStatus({ Fid: object }))
  await rig.until(two.calls.GetCapabilities())
  two.setSilent(true)
  one.manager.news()
  const first = await rig.timed(writer.calls.StoreStatus(storeAsk()))
  t.true(first < 8_000, `${first} ms`)
  t.deepEqual(one.manager.news(), ["ProbeUuid", "CallBack 5.2.2"])
  await rig.until(one.calls.FetchStatus({ Fid: object }))
  t.true((await rig.timed(writer.calls.StoreStatus(storeAsk()))) < 5, "it is called there first now")
})

test("clients: a reported address is tried as well, and another client there is not taken for the host", async (t) => {
  const rig = new ClientRig()
  const reported = [addressOf(2).host, addressOf(4).host]
  const one = rig.client(addressOf(1), { uuid: uuidOf(1), addresses: reported })
  const stranger = rig.client(addressOf(2), { uuid: uuidOf(2) })
  const writer = rig.client(addressOf(3), { uuid: uuidOf(3) })
  await rig.until(one.calls.FetchStatus({ Fid: object }))
  one.setSilent(true)
  const first = await rig.timed(writer.calls.StoreStatus(storeAsk()))
  t.true(first > 10_000 && first < 14_000, `${first} ms`)
  t.deepEqual(stranger.manager.heard, ["ProbeUuid"])
  t.true(rig.clients.register.withUuid(uuidOf(1))?.isDown)
})

test("clients: a call of a host that is down and still hears nothing is refused, and forgets everything later", async (t) => {
  const rig = new ClientRig()
  const [holder, writer] = await holderAndWriter(rig)
  holder.manager.script.refuse = (call) => (call === "CallBack" ? 7 : undefined)
  await rig.until(writer.calls.StoreStatus(storeAsk()))
  t.like(await t.throwsAsync(rig.until(holder.calls.GetCapabilities())), { code: -1 })
  holder.manager.news()
  holder.manager.script.refuse = () => undefined
  await rig.until(holder.calls.GetCapabilities())
  t.deepEqual(holder.manager.news(), [init3])
})

test("clients: calls that come while a host is told what it missed wait for the same telling", async (t) => {
  const rig = new ClientRig()
  const [holder, writer] = await holderAndWriter(rig)
  holder.setSilent(true)
  await rig.until(writer.calls.StoreStatus(storeAsk()))
  holder.setSilent(false)
  await rig.until(Promise.all(Array.from({ length: 4 }, () => holder.calls.GetCapabilities())))
  t.deepEqual(holder.manager.heard, ["CallBack 5.2.2 dropped"])
})

test("clients: the sweep asks idle clients with promises at 15 minutes, again and again, and no others", async (t) => {
  const rig = new ClientRig()
  const [holder, idle] = await known(rig, 2)
  const old = rig.client(addressOf(3))
  if (holder === undefined || idle === undefined) throw new Error("two clients were wanted")
  await rig.until(holder.calls.FetchStatus({ Fid: object }))
  await rig.until(old.calls.FetchStatus({ Fid: object }))
  old.manager.news()
  await rig.pass(14 * minute)
  t.deepEqual(holder.manager.heard, [])
  await rig.pass(17 * minute)
  t.deepEqual(holder.manager.news(), ["ProbeUuid", "ProbeUuid", "ProbeUuid"])
  t.deepEqual(old.manager.news(), ["Probe", "Probe", "Probe"])
  t.deepEqual(idle.manager.heard, [])
  t.false(rig.clients.register.withUuid(uuidOf(1))?.isDown)
})

test("clients: one that does not answer the sweep costs later changes nothing", async (t) => {
  const rig = new ClientRig()
  const [holder, writer] = await holderAndWriter(rig)
  holder.setSilent(true)
  await rig.pass(21 * minute)
  t.true((await rig.timed(writer.calls.StoreStatus(storeAsk()))) < 5)
  holder.setSilent(false)
  await rig.until(holder.calls.GetCapabilities())
  t.deepEqual(holder.manager.heard.at(-1), "CallBack 5.2.2 dropped")
})

test("clients: one that was idle for two hours is reset and forgotten, whether it hears or not", async (t) => {
  const rig = new ClientRig()
  const [hears, silent] = await known(rig, 2)
  if (hears === undefined || silent === undefined) throw new Error("two clients were wanted")
  for (const { calls } of [hears, silent]) await rig.until(calls.FetchStatus({ Fid: object }))
  silent.setSilent(true)
  await rig.pass(119 * minute)
  t.is(rig.clients.register.size, 2)
  hears.manager.news()
  await rig.pass(12 * minute)
  t.deepEqual(hears.manager.news().at(-1), init3)
  t.is(rig.clients.register.size, 0)
  t.is(rig.clients.callbacks.store.count, 0)
  await rig.until(hears.calls.GetCapabilities())
  t.deepEqual(hears.manager.news(), ["TellMeAboutYourself", init3])
})

test("clients: promises that are over are dropped by the sweep, and not told of", async (t) => {
  const rig = new ClientRig()
  const [holder, writer] = await holderAndWriter(rig)
  for (let round = 0; round < 5; round++) {
    await rig.pass(55 * minute)
    await rig.until(holder.calls.GetCapabilities())
    await rig.until(writer.calls.GetCapabilities())
  }
  holder.manager.news()
  t.is(rig.clients.callbacks.store.count, 0)
  await rig.until(writer.calls.StoreStatus(storeAsk()))
  t.deepEqual(holder.manager.heard, [])
})

test("clients: a volume's break reaches each client once, without waiting", async (t) => {
  const rig = new ClientRig()
  const [holder, other] = await known(rig, 2)
  if (holder === undefined || other === undefined) throw new Error("two clients were wanted")
  for (const Fid of [fid(1000, 2, 2), fid(1000, 4, 4), fid(5, 2, 2)]) await rig.until(holder.calls.FetchStatus({ Fid }))
  await rig.until(other.calls.FetchStatus({ Fid: fid(1000, 2, 2) }))
  rig.clients.callbacks.breakVolume(1000)
  await rig.pass(20)
  t.deepEqual(holder.manager.heard, ["CallBack 1000.0.0"])
  t.deepEqual(other.manager.heard, ["CallBack 1000.0.0"])
})

test("clients: more clients than may be called at once are told soon, while some of them are silent", async (t) => {
  const rig = new ClientRig()
  const clients = await known(rig, 400)
  for (const { calls } of clients) await rig.until(calls.FetchStatus({ Fid: object }))
  const silent = clients.filter((_, nth) => nth % 50 === 7)
  for (const client of silent) client.setSilent(true)
  const told = rig.clients.callbacks.break(object)
  await rig.pass(1_500)
  const heard = clients.filter(({ manager }) => manager.heard.length === 1)
  t.is(heard.length, 392)
  t.true((await rig.timed(told ?? Promise.resolve())) < 8_000)
  t.is(rig.clients.counters().breakers, 0)
})

test("clients: statistics count hosts, those that were active, and what was promised", async (t) => {
  const rig = new ClientRig()
  const [holder, writer] = await holderAndWriter(rig)
  t.deepEqual(rig.clients.hosts.counts(), { hosts: 2, active: 2 })
  await rig.pass(16 * minute)
  await rig.until(holder.calls.GetCapabilities())
  t.deepEqual(rig.clients.hosts.counts(), { hosts: 2, active: 1 })
  const { promises, files, addedPromises, breaks } = rig.clients.counters()
  t.deepEqual({ promises, files, addedPromises, breaks }, { promises: 1, files: 1, addedPromises: 1, breaks: 0 })
  await rig.until(writer.calls.StoreStatus(storeAsk()))
  t.like(rig.clients.counters(), { promises: 0, deletedPromises: 1, breaks: 1 })
})
