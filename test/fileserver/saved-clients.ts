import { existsSync, readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import test from "ava"
import { nodeDisk } from "../../common/disk/node-disk.ts"
import { FormatError } from "../../common/error.ts"
import { HostRegister } from "../../fileserver/host-register.ts"
import { PromiseStore } from "../../fileserver/promise-store.ts"
import { encodeClients, restoreClients, type SavedFacts } from "../../fileserver/saved-clients.ts"
import { fid, fidText } from "../support/cache-manager.ts"
import { addressOf, ClientRig, serverUuid, uuidOf } from "../support/client-rig.ts"
import { seededRandom } from "../support/random.ts"
import { temporaryDirectory } from "../support/temporary-directory.ts"

const object = fid(5, 2, 2)
const now = Date.UTC(2026, 0, 1)
const facts: SavedFacts = { serverUuid, now, stampOf: (volume) => `stamp of ${volume}` }
const store = { Mask: 0, ClientModTime: 0, Owner: 0, Group: 0, UnixModeBits: 0, SegSize: 0 }
const refuse = (facts: object, message: string): never => {
  throw new Error(`${message} ${JSON.stringify(facts)}`)
}
/** Nothing is to go wrong unsaid. */
const log = { debug() {}, info() {}, warn: refuse, error: refuse }

interface Tables {
  readonly register: HostRegister
  readonly store: PromiseStore
}
const tables = (hosts = 10, promises = 100): Tables => ({
  register: new HostRegister(hosts),
  store: new PromiseStore(promises, hosts),
})

/** Three hosts in different states, and promises of each kind. */
function filled(): Tables {
  const made = tables()
  const gone = made.register.add(uuidOf(9), addressOf(9), now)
  const first = made.register.add(uuidOf(1), addressOf(1), now - 5)
  made.register.remove(gone)
  const second = made.register.add(undefined, addressOf(2), now - 6)
  const third = made.register.add(uuidOf(3), addressOf(3), now - 7)
  made.register.addAddress(first, addressOf(4, 7010))
  Object.assign(first, { reported: [0x0a63_0001], translatesErrors: true })
  Object.assign(second, { isDown: true })
  Object.assign(third, { needsReset: true })
  made.store.add(5, 2, 2, first.index, 14_000_001)
  made.store.add(7, 0, 0, first.index, 14_000_002)
  made.store.add(5, 0xffff_fffe, 0xffff_ffff, first.index, 14_000_003)
  made.store.delay(made.store.add(5, 2, 2, second.index, 14_000_004))
  return made
}

function contents({ register, store: promises }: Tables): unknown {
  const hosts = [...register].map(({ uuid, addresses, reported, translatesErrors, isDown, needsReset, lastCall }) => ({
    ...{ uuid, addresses, reported, translatesErrors, isDown, needsReset, lastCall },
  }))
  const texts = [...promises.all()].map((at) => {
    const host = register.withIndex(promises.hostOf(at))
    return `${fidText(promises.fidOf(at))} ${host?.addresses[0]?.host} ${promises.endOf(at)} ${promises.isDelayed(at)}`
  })
  return { hosts: hosts.sort((a, b) => a.lastCall - b.lastCall), promises: texts.sort() }
}

test("saved clients: hosts and promises come back as they were", (t) => {
  const before = filled()
  const after = tables()
  const restored = restoreClients(after, encodeClients(before, facts), "f", { ...facts, now: now + 1_000 })
  t.deepEqual(contents(after), contents(before))
  t.deepEqual(restored, { hosts: 3, promises: 4, stale: [] })
})

test("saved clients: volumes that were touched, or are not to be seen, are named", (t) => {
  const bytes = encodeClients(filled(), facts)
  const stale = (stampOf: SavedFacts["stampOf"]): readonly number[] =>
    restoreClients(tables(), bytes, "f", { ...facts, stampOf }).stale
  t.deepEqual(
    stale((volume) => (volume === 5 ? "another" : facts.stampOf(volume))),
    [5],
  )
  t.deepEqual(
    stale(() => undefined),
    [5, 7],
  )
  const unseen = encodeClients(filled(), { ...facts, stampOf: () => undefined })
  t.deepEqual(restoreClients(tables(), unseen, "f", { ...facts, stampOf: () => "" }).stale, [5, 7])
})

test("saved clients: of another server, or from the future, nothing is believed", (t) => {
  const bytes = encodeClients(filled(), facts)
  for (const wrong of [
    { ...facts, serverUuid: uuidOf(1) },
    { ...facts, now: now - 1 },
  ]) {
    const after = tables()
    t.throws(() => restoreClients(after, bytes, "f", wrong), { instanceOf: FormatError, message: /f/ })
    t.deepEqual(contents(after), contents(tables()))
  }
})

test("saved clients: no byte of the file may change, and none may be missing", (t) => {
  const random = seededRandom(t)
  const bytes = encodeClients(filled(), facts)
  const after = tables()
  for (let length = 0; length < bytes.length; length++)
    t.throws(() => restoreClients(after, bytes.subarray(0, length), "f", facts), { instanceOf: FormatError })
  for (let at = 0; at < bytes.length; at++) {
    const damaged = bytes.slice()
    damaged[at] = (damaged[at] ?? 0) ^ (1 + random.below(255))
    t.throws(() => restoreClients(after, damaged, "f", facts), { instanceOf: FormatError })
  }
  t.deepEqual(contents(after), contents(tables()))
})

test("saved clients: hosts without room are left out; one whose promises find none forgets everything first", (t) => {
  const bytes = encodeClients(filled(), facts)
  const few = tables(1)
  t.is(restoreClients(few, bytes, "f", facts).hosts, 1)
  const small = tables(10, 1)
  restoreClients(small, bytes, "f", facts)
  t.true(small.store.count <= 1)
  const bereft = [...small.register].filter(({ index }) => small.store.countOfHost(index) === 0)
  t.true(bereft.every(({ needsReset }) => needsReset))
})

/** A server that stops in order and starts again on the same state directory. */
async function restart(rig: ClientRig, directory: string, stampOf = facts.stampOf): Promise<void> {
  rig.clients.settle()
  rig.clients.save(directory, nodeDisk, { serverUuid, stampOf: facts.stampOf }, log)
  for (const connection of [...rig.endpoint.connections]) connection.close()
  rig.clients = rig.makeClients()
  rig.clients.restore(directory, nodeDisk, { serverUuid, stampOf }, log)
  await rig.pass(20)
}

test("saved clients: after an orderly restart a client is asked who it is, no more, and hears of changes", async (t) => {
  const directory = temporaryDirectory(t)
  const rig = new ClientRig()
  const holder = rig.client(addressOf(1), { uuid: uuidOf(1) })
  const writer = rig.client(addressOf(2), { uuid: uuidOf(2) })
  await rig.until(holder.calls.FetchStatus({ Fid: object }))
  await rig.until(writer.calls.GetCapabilities())
  holder.manager.news()
  await restart(rig, directory)
  await rig.until(writer.connect().StoreStatus({ Fid: object, InStatus: store }))
  t.deepEqual(holder.manager.news(), ["CallBack 5.2.2"])
  await rig.until(holder.connect().GetCapabilities())
  t.deepEqual(holder.manager.news(), ["TellMeAboutYourself"])
})

test("saved clients: the file is good for one start", async (t) => {
  const directory = temporaryDirectory(t)
  const rig = new ClientRig()
  const holder = rig.client(addressOf(1), { uuid: uuidOf(1) })
  await rig.until(holder.calls.FetchStatus({ Fid: object }))
  await restart(rig, directory)
  t.false(existsSync(join(directory, "clients.state")))
  rig.clients = rig.makeClients()
  rig.clients.restore(directory, nodeDisk, { serverUuid, stampOf: facts.stampOf }, log)
  holder.manager.news()
  await rig.until(holder.connect().GetCapabilities())
  t.deepEqual(holder.manager.news(), ["TellMeAboutYourself", `InitCallBackState3 ${serverUuid}`])
})

test("saved clients: what was promised on a volume that was touched meanwhile is broken at the start", async (t) => {
  const directory = temporaryDirectory(t)
  const rig = new ClientRig()
  const holder = rig.client(addressOf(1), { uuid: uuidOf(1) })
  await rig.until(holder.calls.FetchStatus({ Fid: object }))
  await rig.until(holder.calls.FetchStatus({ Fid: fid(6, 2, 2) }))
  holder.manager.news()
  await restart(rig, directory, (volume) => (volume === 6 ? "touched" : facts.stampOf(volume)))
  t.deepEqual(holder.manager.news(), ["CallBack 6.0.0"])
  t.is(rig.clients.callbacks.store.count, 1)
})

test("saved clients: a break on its way when the server stops is told after the start", async (t) => {
  const directory = temporaryDirectory(t)
  const rig = new ClientRig()
  const holder = rig.client(addressOf(1), { uuid: uuidOf(1) })
  await rig.until(holder.calls.FetchStatus({ Fid: object }))
  holder.manager.news()
  holder.setSilent(true)
  void rig.clients.callbacks.break(object)
  await restart(rig, directory)
  holder.setSilent(false)
  await rig.until(holder.connect().GetCapabilities())
  t.deepEqual(holder.manager.news(), ["TellMeAboutYourself", "CallBack 5.2.2 dropped"])
})

test("saved clients: a damaged file is removed and said, and the server starts without", async (t) => {
  const directory = temporaryDirectory(t)
  const path = join(directory, "clients.state")
  const rig = new ClientRig()
  rig.clients.save(directory, nodeDisk, facts, log)
  const bytes = readFileSync(path)
  bytes[60] = (bytes[60] ?? 0) ^ 1
  writeFileSync(path, bytes)
  const warnings: object[] = []
  rig.clients.restore(directory, nodeDisk, facts, { ...log, warn: (of) => warnings.push(of) })
  t.is(warnings.length, 1)
  t.like(warnings[0], { path })
  t.false(existsSync(path))
})

test("saved clients: a state directory that cannot be written to costs the state, not the shutdown", (t) => {
  const rig = new ClientRig()
  const errors: object[] = []
  rig.clients.save("/nowhere/at/all", nodeDisk, facts, { ...log, error: (of) => errors.push(of) })
  t.is(errors.length, 1)
  t.notThrows(() => rig.clients.restore("/nowhere/at/all", nodeDisk, facts, log))
})
