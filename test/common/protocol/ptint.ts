import test from "ava"
import { idlist, namelist, noSuchUser, PR } from "../../../common/protocol/ptint.ts"
import { opcodesOf, proveEveryCall } from "../../support/rpc-echo.ts"

const { operations } = PR
const hexOf = (bytes: Uint8Array): string => Buffer.from(bytes).toString("hex")

test("ptint: the table has every call of the protocol, by opcode and name", (t) => {
  t.deepEqual(opcodesOf(PR), [
    "500 INewEntry",
    "501 WhereIsIt",
    "502 DumpEntry",
    "503 AddToGroup",
    "504 NameToID",
    "505 IDToName",
    "506 Delete",
    "507 RemoveFromGroup",
    "508 GetCPS",
    "509 NewEntry",
    "510 ListMax",
    "511 SetMax",
    "512 ListEntry",
    "513 ChangeEntry",
    "514 ListElements",
    "515 IsAMemberOf",
    "516 SetFieldsEntry",
    "517 ListOwned",
    "518 GetCPS2",
    "519 GetHostCPS",
    "520 UpdateEntry",
    "521 ListEntries",
    "530 ListSuperGroups",
  ])
  t.is(PR.service, 73)
  t.is(noSuchUser, 267268)
})

test("ptint: names are vectors of 64 words, ids are signed", (t) => {
  const bytes = namelist.encode(["ann", "system:anyuser"])
  t.is(bytes.length, 4 + 2 * 256)
  t.is(hexOf(bytes.subarray(0, 20)), "0000000200000061" + "0000006e0000006e00000000")
  t.deepEqual(namelist.read(bytes), ["ann", "system:anyuser"])
  t.throws(() => namelist.encode(["x".repeat(64)]), { instanceOf: RangeError })
  t.is(hexOf(idlist.encode([-206, 1001])), "00000002ffffff32000003e9")
})

test("ptint: a list of 500000 ids is one, of one more is none, and neither is believed without its bytes", (t) => {
  const most = Array.from({ length: 500_000 }, () => 7)
  t.is(idlist.encode(most).length, 2_000_004)
  t.throws(() => idlist.encode([...most, 7]), { instanceOf: RangeError })
  const outcome = { at: 0, wanted: 0, fault: undefined }
  namelist.decode(Buffer.from("0007a120", "hex"), 0, 4, outcome)
  t.is(outcome.wanted, 4 + 500_000 * 256)
  t.throws(() => namelist.read(Buffer.from("0007a121", "hex")), { message: /wanted at most 500000/ })
})

test("ptint: ListOwned has its position both among arguments and among results", (t) => {
  t.is(hexOf(operations.ListOwned.request.encode({ id: 1, lastp: 2 })), "0000000100000002")
  t.is(hexOf(operations.ListOwned.reply.encode({ elist: [], lastp: 3 })), "0000000000000003")
  t.is(hexOf(operations.GetCPS.request.encode({ id: -101 })), "ffffff9b")
})

test("ptint: every call of the table carries its arguments and results between client and server", async (t) => {
  await proveEveryCall(t, PR)
})
