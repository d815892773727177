import test from "ava"
import type { InterfaceAddr } from "../../../common/protocol/afs-types.ts"
import { clientCapabilities, RXAFSCB } from "../../../common/protocol/afscbint.ts"
import { opcodesOf, proveEveryCall } from "../../support/rpc-echo.ts"

const { operations } = RXAFSCB
const hexOf = (bytes: Uint8Array): string => Buffer.from(bytes).toString("hex")

test("afscbint: the table has every call of the protocol, by opcode and name", (t) => {
  t.deepEqual(opcodesOf(RXAFSCB), [
    "204 CallBack",
    "205 InitCallBackState",
    "206 Probe",
    "207 GetLock",
    "208 GetCE",
    "209 XStatsVersion",
    "210 GetXStats",
    "211 InitCallBackState2",
    "212 WhoAreYou",
    "213 InitCallBackState3",
    "214 ProbeUuid",
    "215 GetServerPrefs",
    "216 GetCellServDB",
    "217 GetLocalCell",
    "218 GetCacheConfig",
    "65536 GetCE64",
    "65537 GetCellByNum",
    "65538 TellMeAboutYourself",
  ])
  t.is(RXAFSCB.service, 1)
})

test("afscbint: a break of one promise and of a replica's, byte for byte", (t) => {
  const { request } = operations.CallBack
  const fid = { Volume: 0x20000000, Vnode: 0x1a, Unique: 0x1b }
  t.is(hexOf(request.encode({ Fids_Array: [fid], CallBacks_Array: [] })), "00000001200000000000001a0000001b00000000")
  const volume = { Fids_Array: [{ Volume: 7, Vnode: 0, Unique: 0 }], CallBacks_Array: [] }
  t.is(hexOf(request.encode(volume)), "0000000100000007000000000000000000000000")
})

test("afscbint: a cache manager's answer has 440 bytes, its UUID as signed chars", (t) => {
  const { reply } = operations.TellMeAboutYourself
  const answer = Buffer.concat([
    Buffer.from("00000001", "hex"),
    Buffer.from(
      "00956de9 00004fcf 00001b01 ffffff8b 00000016 0000000a 00000063 00000000 00000001 ffffffaa 00000077".replaceAll(
        " ",
        "",
      ),
      "hex",
    ),
    Buffer.from("0a630001", "hex"),
    Buffer.alloc(31 * 4),
    Buffer.from("ffffff00", "hex"),
    Buffer.alloc(31 * 4),
    Buffer.from("000005dc", "hex"),
    Buffer.alloc(31 * 4),
    Buffer.from("0000000100000001", "hex"),
  ])
  t.is(answer.length, 440)
  const { addr, capabilities }: { addr: InterfaceAddr; capabilities: readonly number[] } = reply.read(answer)
  t.is(addr.uuid, "00956de9-4fcf-1b01-8b-16-0a630001aa77")
  t.deepEqual(
    [addr.numberOfInterfaces, addr.addr_in[0], addr.subnetmask[0], addr.mtu[0]],
    [1, 0x0a630001, 0xffffff00, 1500],
  )
  t.deepEqual(capabilities, [clientCapabilities.errorTranslation])
  t.is(hexOf(reply.encode({ addr, capabilities })), hexOf(answer))
  t.is(operations.WhoAreYou.reply.size, 432)
})

test("afscbint: every call of the table carries its arguments and results between server and client", async (t) => {
  await proveEveryCall(t, RXAFSCB)
})
