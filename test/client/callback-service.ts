import test from "ava"
import { callbackService, interfaceAddress } from "../../client/callback-service.ts"
import type { AFSFid } from "../../common/protocol/afs-types.ts"
import { RXAFSCB } from "../../common/protocol/afscbint.ts"
import { rpcClient } from "../../common/rpc/client.ts"
import { isRpcError } from "../../common/rpc/rpc-call.ts"
import { connectionTo } from "../support/memory-call.ts"

const uuid = "12345678-1234-1234-92-34-0123456789ab"
const fid = { Volume: 5, Vnode: 2, Unique: 3 }

function rig(options: { translatesErrors?: boolean } = {}) {
  const broken: AFSFid[] = []
  const state = { resets: 0 }
  const service = callbackService({
    uuid,
    ...options,
    onBreak: (fids) => broken.push(...fids),
    onReset: () => state.resets++,
  })
  return { broken, state, fileserver: rpcClient(RXAFSCB, connectionTo(service)) }
}

test("callback service: it says who is there, by UUID, and that it knows OpenAFS's errors", async (t) => {
  const { fileserver } = rig()
  const { addr, capabilities } = await fileserver.TellMeAboutYourself()
  t.deepEqual(addr, interfaceAddress(uuid))
  t.deepEqual(capabilities, [1])
  t.deepEqual((await fileserver.WhoAreYou()).addr, addr)
  t.true(addr.numberOfInterfaces > 0 && addr.numberOfInterfaces <= 32)
  t.is(addr.addr_in.length, 32)
  const { capabilities: none } = await rig({ translatesErrors: false }).fileserver.TellMeAboutYourself()
  t.deepEqual(none, [0])
})

test("callback service: a probe for another client is refused", async (t) => {
  const { fileserver } = rig()
  await fileserver.Probe()
  await fileserver.ProbeUuid({ clientUuid: uuid })
  const other = "12345678-1234-1234-92-34-0123456789ac"
  t.true(isRpcError(await t.throwsAsync(fileserver.ProbeUuid({ clientUuid: other })), 1))
})

test("callback service: breaks and resets reach whoever cares", async (t) => {
  const { fileserver, broken, state } = rig()
  await fileserver.CallBack({ Fids_Array: [fid], CallBacks_Array: [] })
  t.deepEqual(broken, [fid])
  await fileserver.InitCallBackState()
  await fileserver.InitCallBackState3({ serverUuid: uuid })
  t.is(state.resets, 2)
})

test("callback service: what debugging tools ask is answered like opcodes that nobody knows", async (t) => {
  const { fileserver } = rig()
  t.true(isRpcError(await t.throwsAsync(fileserver.GetCE({ index: 0 })), -455))
  t.true(isRpcError(await t.throwsAsync(fileserver.GetLocalCell()), -455))
})
