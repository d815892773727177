import test from "ava"
import { RpcError } from "../../common/rpc/rpc-call.ts"
import type { Connection } from "../../common/rx/connection.ts"
import { type ClientCalls, rxClientCalls } from "../../fileserver/client-calls.ts"
import { fid } from "../support/cache-manager.ts"
import { addressOf, ClientRig, serverUuid, uuidOf } from "../support/client-rig.ts"

const at = addressOf(1)

function calling(rig: ClientRig): ClientCalls {
  return rxClientCalls(rig.endpoint, serverUuid)
}

const ours = (rig: ClientRig): Connection[] => rig.endpoint.connections.filter(({ isClient }) => isClient)

test("client calls: each call says what it is for, and its answer is understood", async (t) => {
  const rig = new ClientRig()
  const { manager } = rig.client(at, { uuid: uuidOf(1), addresses: [7, 8] })
  const calls = calling(rig)
  const self = await rig.until(calls.tellMeAboutYourself(at))
  t.deepEqual([self.addr.uuid, self.addr.numberOfInterfaces, [...self.capabilities]], [uuidOf(1), 2, [1]])
  t.is((await rig.until(calls.whoAreYou(at))).uuid, uuidOf(1))
  await rig.until(calls.initCallBackState(at, true))
  await rig.until(calls.initCallBackState(at, false))
  t.true(await rig.until(calls.probe(at, uuidOf(1))))
  t.false(await rig.until(calls.probe(at, uuidOf(2))))
  t.true(await rig.until(calls.probe(at, undefined)))
  const dropped = { CallBackVersion: 1, ExpirationTime: 0, CallBackType: 3 }
  await rig.until(calls.callBack(at, [fid(5, 2, 2), fid(5, 4, 4)], [dropped, dropped]))
  t.deepEqual(manager.heard, [
    "TellMeAboutYourself",
    "WhoAreYou",
    `InitCallBackState3 ${serverUuid}`,
    "InitCallBackState",
    "ProbeUuid",
    "ProbeUuid",
    "Probe",
    "CallBack 5.2.2 dropped 5.4.4 dropped",
  ])
  t.is(ours(rig).length, 2, "one connection for patience, one for haste")
})

test("client calls: a code of the client is handed on; silence is -1, sooner where others wait", async (t) => {
  const rig = new ClientRig()
  const client = rig.client(at, { refuse: () => 77 })
  const calls = calling(rig)
  t.like(await t.throwsAsync(rig.until(calls.callBack(at, [fid(5, 2, 2)], []))), { code: 77, name: RpcError.name })
  t.like(await t.throwsAsync(rig.until(calls.tellMeAboutYourself(at))), { code: 77 })
  client.setSilent(true)
  const [brisk, patient] = [calls.probe(at, uuidOf(1)), calls.tellMeAboutYourself(at)]
  patient.catch(() => undefined)
  const begin = rig.network.now
  t.like(await t.throwsAsync(rig.until(brisk)), { code: -1 })
  const spent = rig.network.now - begin
  t.true(spent >= 5_000 && spent < 8_000, `${spent} ms`)
  t.like(await t.throwsAsync(rig.until(patient)), { code: -1 })
  t.true(rig.network.now - begin > 45_000)
})

test("client calls: a client that answers pings and nothing else is given up after two minutes", async (t) => {
  const rig = new ClientRig()
  rig.network.endpoint(at, { services: [{ id: 1, onCall() {} }] })
  const begin = rig.network.now
  t.like(await t.throwsAsync(rig.until(calling(rig).tellMeAboutYourself(at))), { code: -3 })
  const spent = rig.network.now - begin
  t.true(spent >= 119_000 && spent < 130_000, `${spent} ms`)
})

test("client calls: a connection that the client has failed is made anew", async (t) => {
  const rig = new ClientRig()
  rig.client(at, { uuid: uuidOf(1) })
  const calls = calling(rig)
  await rig.until(calls.probe(at, uuidOf(1)))
  ours(rig)[0]?.fail(-5, "protocol error")
  t.true(await rig.until(calls.probe(at, uuidOf(1))))
  t.is(ours(rig).length, 1)
})

test("client calls: released addresses keep no connection", async (t) => {
  const rig = new ClientRig()
  rig.client(at, { uuid: uuidOf(1) })
  const calls = calling(rig)
  await rig.until(calls.tellMeAboutYourself(at))
  await rig.until(calls.probe(at, uuidOf(1)))
  calls.release(at)
  calls.release(at)
  t.deepEqual(ours(rig), [])
  t.true(await rig.until(calls.probe(at, uuidOf(1))))
})
