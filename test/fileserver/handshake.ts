import test from "ava"
import { RpcError } from "../../common/rpc/rpc-call.ts"
import type { UserIdentity } from "../../fileserver/protection.ts"
import { fid } from "../support/cache-manager.ts"
import { addressOf, ClientRig, serverUuid, uuidOf } from "../support/client-rig.ts"

const object = fid(5, 2, 2)
const init3 = `InitCallBackState3 ${serverUuid}`
const store = { Mask: 0, ClientModTime: 0, Owner: 0, Group: 0, UnixModeBits: 0, SegSize: 0 }

test("handshake: a new client tells of itself and forgets what it was promised before its first call is answered", async (t) => {
  const rig = new ClientRig()
  const { calls, manager, address } = rig.client(addressOf(1), { uuid: uuidOf(1), addresses: [0x0a63_0101] })
  let isAnswered = false
  manager.onHeard = () => t.false(isAnswered)
  const asked = calls.GetCapabilities()
  void asked.then(() => {
    isAnswered = true
  })
  t.deepEqual(await rig.until(asked), { capabilities: [7] })
  t.deepEqual(manager.heard, ["TellMeAboutYourself", init3])
  t.deepEqual(rig.groupsAsked.slice(0, 1), [address.host], "its groups were asked for first")
  const host = rig.clients.register.withUuid(uuidOf(1))
  t.true(host?.translatesErrors)
  t.deepEqual(host?.reported, [0x0a63_0101])
  t.deepEqual(host?.addresses, [address])
})

test("handshake: a client without the capability gets errors as they are", async (t) => {
  const rig = new ClientRig()
  const { calls } = rig.client(addressOf(1), { uuid: uuidOf(1), capabilities: [] })
  await rig.until(calls.GetCapabilities())
  t.false(rig.clients.register.withUuid(uuidOf(1))?.translatesErrors)
})

test("handshake: a client that knows only WhoAreYou is known by its UUID", async (t) => {
  const rig = new ClientRig()
  const { calls, manager } = rig.client(addressOf(1), { uuid: uuidOf(1), knows: "WhoAreYou" })
  await rig.until(calls.GetCapabilities())
  t.deepEqual(manager.heard, ["TellMeAboutYourself", "WhoAreYou", init3])
  t.false(rig.clients.register.withUuid(uuidOf(1))?.translatesErrors)
})

test("handshake: a client without UUID is asked in both ways, then reset in the old way, and served", async (t) => {
  const rig = new ClientRig()
  const { calls, manager, address } = rig.client(addressOf(1))
  t.deepEqual(await rig.until(calls.GetCapabilities()), { capabilities: [7] })
  t.deepEqual(manager.news(), ["TellMeAboutYourself", "WhoAreYou", "InitCallBackState"])
  t.is(rig.clients.register.at(address)?.uuid, undefined)
})

test("handshake: a further connection is asked who it is, once, and forgets nothing", async (t) => {
  const rig = new ClientRig()
  const client = rig.client(addressOf(1), { uuid: uuidOf(1) })
  await rig.until(client.calls.FetchStatus({ Fid: object }))
  client.manager.news()
  await rig.until(client.connect().GetCapabilities())
  t.deepEqual(client.manager.news(), ["TellMeAboutYourself"])
  t.is(rig.clients.callbacks.store.count, 1)
})

test("handshake: a further connection of a client without UUID is the same host", async (t) => {
  const rig = new ClientRig()
  const client = rig.client(addressOf(1))
  await rig.until(client.calls.FetchStatus({ Fid: object }))
  client.manager.news()
  await rig.until(client.connect().GetCapabilities())
  t.deepEqual(client.manager.news(), ["TellMeAboutYourself", "WhoAreYou"])
  t.is(rig.clients.callbacks.store.count, 1)
})

test("handshake: another client at the same address begins anew, and the promises of the old one are gone", async (t) => {
  const rig = new ClientRig()
  const client = rig.client(addressOf(1), { uuid: uuidOf(1) })
  const writer = rig.client(addressOf(2), { uuid: uuidOf(2) })
  await rig.until(client.calls.FetchStatus({ Fid: object }))
  client.manager.news()
  client.manager.script.uuid = uuidOf(3)
  await rig.until(client.connect().GetCapabilities())
  t.deepEqual(client.manager.news(), ["TellMeAboutYourself", "TellMeAboutYourself", init3])
  t.is(rig.clients.callbacks.store.count, 0)
  t.is(rig.clients.register.withUuid(uuidOf(1)), undefined)
  await rig.until(writer.calls.StoreStatus({ Fid: object, InStatus: store }))
  t.deepEqual(client.manager.news(), [], "nobody was told of the old one's promise")
})

test("handshake: the first connection of the old client is asked again after another came to its address", async (t) => {
  const rig = new ClientRig()
  const client = rig.client(addressOf(1), { uuid: uuidOf(1) })
  await rig.until(client.calls.GetCapabilities())
  client.manager.script.uuid = uuidOf(3)
  await rig.until(client.connect().GetCapabilities())
  client.manager.news()
  await rig.until(client.calls.GetCapabilities())
  t.deepEqual(client.manager.news(), ["TellMeAboutYourself"])
  t.is(rig.callers.at(-1)?.host.uuid, uuidOf(3))
})

test("handshake: a client of two addresses is asked at the first, called at the second, and keeps its promises", async (t) => {
  const rig = new ClientRig()
  const one = rig.client(addressOf(1), { uuid: uuidOf(1) })
  const two = rig.client(addressOf(2), { uuid: uuidOf(1) })
  await rig.until(one.calls.FetchStatus({ Fid: object }))
  one.manager.news()
  await rig.until(two.calls.GetCapabilities())
  t.deepEqual(one.manager.news(), ["ProbeUuid"])
  t.deepEqual(two.manager.news(), ["TellMeAboutYourself"])
  t.is(rig.clients.register.size, 1)
  t.deepEqual(rig.clients.register.withUuid(uuidOf(1))?.addresses, [two.address, one.address])
  t.is(rig.callers[0]?.host, rig.callers[1]?.host)
})

test("handshake: breaks follow a client that has moved", async (t) => {
  const rig = new ClientRig()
  const before = rig.client(addressOf(1, 7001), { uuid: uuidOf(1) })
  const after = rig.client(addressOf(1, 7011), { uuid: uuidOf(1) })
  const writer = rig.client(addressOf(2), { uuid: uuidOf(2) })
  await rig.until(before.calls.FetchStatus({ Fid: object }))
  before.setSilent(true)
  t.true((await rig.timed(after.calls.GetCapabilities())) < 8_000)
  t.deepEqual(after.manager.news(), ["TellMeAboutYourself"])
  t.deepEqual(rig.clients.register.withUuid(uuidOf(1))?.addresses, [after.address])
  await rig.until(writer.calls.StoreStatus({ Fid: object, InStatus: store }))
  t.deepEqual(after.manager.news(), ["CallBack 5.2.2"])
})

test("handshake: where another client lives at the old address, the host has moved too", async (t) => {
  const rig = new ClientRig()
  const before = rig.client(addressOf(1), { uuid: uuidOf(1) })
  const after = rig.client(addressOf(2), { uuid: uuidOf(1) })
  await rig.until(before.calls.FetchStatus({ Fid: object }))
  before.manager.script.uuid = uuidOf(9)
  await rig.until(after.calls.GetCapabilities())
  t.deepEqual(rig.clients.register.withUuid(uuidOf(1))?.addresses, [after.address])
  before.manager.news()
  await rig.until(before.connect().GetCapabilities())
  t.deepEqual(before.manager.news(), ["TellMeAboutYourself", init3])
  t.is(rig.clients.callbacks.store.count, 1, "the host that moved kept its promise")
})

test("handshake: a client with two addresses whose first goes to another client keeps the second", async (t) => {
  const rig = new ClientRig()
  const one = rig.client(addressOf(1), { uuid: uuidOf(1) })
  const two = rig.client(addressOf(2), { uuid: uuidOf(1) })
  const writer = rig.client(addressOf(3), { uuid: uuidOf(3) })
  await rig.until(one.calls.FetchStatus({ Fid: object }))
  await rig.until(two.calls.GetCapabilities())
  one.manager.script.uuid = uuidOf(9)
  await rig.until(one.connect().GetCapabilities())
  two.manager.news()
  await rig.until(writer.calls.StoreStatus({ Fid: object, InStatus: store }))
  t.deepEqual(two.manager.news(), ["CallBack 5.2.2"])
})

test("handshake: a client that refuses to say who it is, and hears a reset, is served", async (t) => {
  const rig = new ClientRig()
  const client = rig.client(addressOf(1), {
    uuid: uuidOf(1),
    refuse: (call) => (call === "TellMeAboutYourself" ? 7 : undefined),
  })
  t.deepEqual(await rig.until(client.calls.GetCapabilities()), { capabilities: [7] })
  t.deepEqual(client.manager.news(), ["TellMeAboutYourself", "InitCallBackState"])
  t.is(rig.clients.register.at(client.address)?.uuid, undefined)
})

test("handshake: a client that answers no call of its server is refused, and leaves nothing behind", async (t) => {
  const rig = new ClientRig()
  const client = rig.client(addressOf(1), { uuid: uuidOf(1), refuse: () => 7 })
  const error = await t.throwsAsync(rig.until(client.calls.GetCapabilities()))
  t.like(error, { code: -1 })
  t.is(rig.clients.register.size, 0)
  t.deepEqual(
    rig.endpoint.connections.filter(({ isClient }) => isClient),
    [],
  )
})

test("handshake: a client that is silent is given up after its dead time; its other connections wait no longer", async (t) => {
  const rig = new ClientRig()
  const client = rig.client(addressOf(1), { uuid: uuidOf(1) })
  const first = client.calls.GetCapabilities()
  const others = [client.connect().GetCapabilities(), client.connect().GetCapabilities()]
  rig.network.run(0.15)
  client.setSilent(true)
  const begin = rig.network.now
  const codes: unknown[] = []
  for (const call of [first, ...others]) call.catch((error: unknown) => codes.push(error))
  await rig.pass(70_000)
  t.is(rig.clients.register.size, 0)
  client.setSilent(false)
  await t.throwsAsync(rig.until(first))
  for (const other of others) await t.throwsAsync(rig.until(other))
  t.is(codes.length, 3)
  t.true(rig.network.now - begin < 80_000)
})

test("handshake: connections that come at the same time are one host, reset once", async (t) => {
  const rig = new ClientRig()
  const client = rig.client(addressOf(1), { uuid: uuidOf(1) })
  const calls = [client.calls, client.connect(), client.connect(), client.connect()]
  await rig.until(Promise.all(calls.map((each) => each.FetchStatus({ Fid: object }))))
  t.is(client.manager.heard.filter((call) => call === init3).length, 1)
  t.is(client.manager.heard.filter((call) => call === "TellMeAboutYourself").length, 4)
  t.is(rig.clients.register.size, 1)
  t.is(rig.clients.callbacks.store.count, 1)
})

test("handshake: one host that comes from two new addresses at the same time is one host", async (t) => {
  const rig = new ClientRig()
  const one = rig.client(addressOf(1), { uuid: uuidOf(1) })
  const two = rig.client(addressOf(2), { uuid: uuidOf(1) })
  await rig.until(Promise.all([one.calls.GetCapabilities(), two.calls.GetCapabilities()]))
  t.is(rig.clients.register.size, 1)
  t.is(rig.clients.register.at(one.address), rig.clients.register.at(two.address))
})

test("handshake: where there is no room for more hosts, the one goes that has not called for longest", async (t) => {
  const rig = new ClientRig({ hostsMax: 3 })
  const clients = [1, 2, 3, 4].map((nth) => rig.client(addressOf(nth), { uuid: uuidOf(nth) }))
  for (const [index, client] of clients.entries()) {
    await rig.pass(10)
    if (index === 3) await rig.until(clients[0]?.calls.GetCapabilities() ?? Promise.reject())
    await rig.until(client.calls.FetchStatus({ Fid: object }))
  }
  t.is(rig.clients.register.size, 3)
  t.is(rig.clients.register.withUuid(uuidOf(2)), undefined)
  await rig.pass(1)
  t.deepEqual(clients[1]?.manager.heard, ["TellMeAboutYourself", init3, init3], "it was told that it was forgotten")
  t.is(rig.clients.callbacks.store.count, 3)
})

test("handshake: a caller whose identity cannot be told is refused with that reason, and may try again", async (t) => {
  let isUp = false
  const user: UserIdentity = { id: 7, cps: [7], isAdministrator: false, isSuperuser: false }
  const userOf = async (): Promise<UserIdentity> => {
    if (!isUp) throw new RpcError(-1001, "GetCPS")
    return user
  }
  const rig = new ClientRig({ protection: { userOf, hostGroups: async () => [-207] } })
  const client = rig.client(addressOf(1), { uuid: uuidOf(1) })
  t.like(await t.throwsAsync(rig.until(client.calls.GetCapabilities())), { code: -1001 })
  isUp = true
  await rig.until(client.calls.GetCapabilities())
  t.is(rig.callers.at(-1)?.user, user)
  t.deepEqual(rig.callers.at(-1)?.host.cps, [-207])
})
