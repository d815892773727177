import test from "ava"
import {
  addressMask,
  entryFlags,
  locationCodes,
  nvldbentry,
  quorumCodes,
  siteFlags,
  type Uvldbentry,
  uvldbentry,
  VL,
  vldbentry,
} from "../../../common/protocol/vldbint.ts"
import { rpcService } from "../../../common/rpc/service.ts"
import { rawCall } from "../../support/memory-call.ts"
import { opcodesOf, proveEveryCall } from "../../support/rpc-echo.ts"

const { operations } = VL
const bytesOf = (hex: string): Buffer => Buffer.from(hex.replaceAll(/\s/g, ""), "hex")
const hexOf = (bytes: Uint8Array): string => Buffer.from(bytes).toString("hex")

test("vldbint: the table has every call that has a procedure, by opcode and name", (t) => {
  t.deepEqual(opcodesOf(VL), [
    "501 CreateEntry",
    "502 DeleteEntry",
    "503 GetEntryByID",
    "504 GetEntryByNameO",
    "505 GetNewVolumeId",
    "506 ReplaceEntry",
    "507 UpdateEntry",
    "508 SetLock",
    "509 ReleaseLock",
    "510 ListEntry",
    "511 ListAttributes",
    "512 LinkedList",
    "513 GetStats",
    "514 ProbeServer",
    "515 GetAddrs",
    "516 ChangeAddr",
    "517 CreateEntryN",
    "518 GetEntryByIDN",
    "519 GetEntryByNameN",
    "520 ReplaceEntryN",
    "521 ListEntryN",
    "522 ListAttributesN",
    "523 LinkedListN",
    "524 UpdateEntryByName",
    "527 GetEntryByNameU",
    "532 RegisterAddrs",
    "533 GetAddrsU",
    "534 ListAttributesN2",
  ])
  t.is(VL.service, 52)
  t.true(VL.isContiguous)
})

test("vldbint: the opcodes that OpenAFS has names for and no procedures are unknown", async (t) => {
  const service = rpcService(VL, { ProbeServer: () => undefined }, { log: { error: () => t.fail() } })
  for (const opcode of [525, 526, 528, 529, 530, 531, 535]) {
    const request = Buffer.alloc(4)
    request.writeUInt32BE(opcode)
    t.is((await rawCall(service, request)).code, -455)
  }
})

test("vldbint: entries have the protocol's sizes", (t) => {
  t.is(vldbentry.size, 4 * (65 + 2 + 24 + 3 + 2))
  t.is(nvldbentry.size, 476)
  t.is(uvldbentry.size, 1048)
  t.is(operations.GetStats.reply.size, 4 * (106 + 10))
  t.is(operations.GetAddrsU.request.size, 4 * 15)
  t.is(operations.ListAttributesN.request.size, 24)
})

test("vldbint: GetEntryByNameU, GetAddrsU and RegisterAddrs, byte for byte", (t) => {
  t.is(
    hexOf(operations.GetEntryByNameU.request.encode({ volumename: "root.cell" })),
    "00000009726f6f742e63656c6c000000",
  )
  const uuid = "0096b658-4fba-1b01-b2-d2-0100007faa77"
  const uuidHex = `0096b658 00004fba 00001b01 ffffffb2 ffffffd2 00000001 00000000 00000000 0000007f ffffffaa 00000077`
  t.is(
    hexOf(operations.RegisterAddrs.request.encode({ uuidp: uuid, spare1: 0, ipaddr: [0x0a630001] })),
    hexOf(bytesOf(`${uuidHex} 00000000 00000001 0a630001`)),
  )
  const reply = bytesOf(`${uuidHex} 00000001 00000001 00000001 0a630001`)
  t.deepEqual(operations.GetAddrsU.reply.read(reply), {
    uuidp1: uuid,
    uniquifier: 1,
    nentries: 1,
    blkaddrs: [0x0a630001],
  })
  const inaddr = { Mask: 4, ipaddr: 0, index: 0, spare1: 0, uuid }
  t.is(
    hexOf(operations.GetAddrsU.request.encode({ inaddr })),
    hexOf(bytesOf(`00000004 00000000 00000000 00000000 ${uuidHex}`)),
  )
})

test("vldbint: a volume's name has 64 characters, one word each, and at most 500 addresses are registered", (t) => {
  const volumename = "v".repeat(65)
  t.is(operations.GetEntryByNameU.request.encode({ volumename }).length, 4 + 68)
  t.throws(() => operations.GetEntryByNameU.request.encode({ volumename: `${volumename}v` }), {
    instanceOf: RangeError,
  })
  const ipaddr = Array.from({ length: 501 }, (_, index) => index)
  const ask = { uuidp: "00000000-0000-0000-00-00-000000000000", spare1: 0, ipaddr }
  t.throws(() => operations.RegisterAddrs.request.encode(ask), { instanceOf: RangeError })
  const entry = Buffer.alloc(1048)
  for (const [index, char] of [..."root.cell"].entries()) entry.writeUInt32BE(char.charCodeAt(0), 4 * index)
  const read: Uvldbentry = uvldbentry.read(entry)
  t.is(read.name, "root.cell")
})

test("vldbint: flags and codes are the protocol's", (t) => {
  t.deepEqual(Object.values(siteFlags), [1, 2, 4, 8, 0x10, 0x20])
  t.deepEqual(Object.values(entryFlags), [0x10, 0x20, 0x40, 0x80, 0x100, 0x1000, 0x2000, 0x4000])
  t.deepEqual(addressMask, { address: 1, index: 2, uuid: 4 })
  t.deepEqual(locationCodes, { noEntry: 363524, permission: 363546, multipleAddress: 363550 })
  t.deepEqual(quorumCodes, { noQuorum: 5376, notSyncSite: 5377 })
})

test("vldbint: every call of the table carries its arguments and results between client and server", async (t) => {
  await proveEveryCall(t, VL)
})
