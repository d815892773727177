import test from "ava"
import { i32, text, u32, u64 } from "../../../common/codec/xdr.ts"
import { download, IN, INOUT, OUT, operation, rpcInterface, upload } from "../../../common/protocol/rpc-interface.ts"

const table = rpcInterface(
  "TEST",
  { service: 7 },
  {
    Mixed: operation(1, { a: IN(u32), b: OUT(i32), c: INOUT(text(4)), d: IN(u32), e: OUT(u32) }),
    Put: upload(2, { a: IN(u32) }),
    Get: download(3, { a: IN(u32), b: OUT(u32) }, u64),
    None: operation(65537, {}),
  },
)

const hexOf = (bytes: Uint8Array): string => Buffer.from(bytes).toString("hex")

test("rpc-interface: a request has the IN and INOUT arguments in their order, a reply the OUT and INOUT", (t) => {
  const { Mixed, None } = table.operations
  t.is(hexOf(Mixed.request.encode({ a: 1, c: "x", d: 2 })), "00000001" + "0000000178000000" + "00000002")
  t.is(hexOf(Mixed.reply.encode({ b: -1, c: "y", e: 3 })), "ffffffff" + "0000000179000000" + "00000003")
  t.is(None.request.size, 0)
  t.is(None.reply.size, 0)
})

test("rpc-interface: procedures are found by opcode, have the interface's prefix, and say whose bytes they move", (t) => {
  t.is(table.byOpcode(65537), table.operations.None)
  t.is(table.byOpcode(4), undefined)
  t.deepEqual(
    Object.values(table.operations).map(({ name, bulk }) => [name, bulk?.from]),
    [
      ["TEST_Mixed", undefined],
      ["TEST_Put", "client"],
      ["TEST_Get", "server"],
      ["TEST_None", undefined],
    ],
  )
})

test("rpc-interface: an opcode given twice is found while the table is loaded", (t) => {
  t.throws(() => rpcInterface("T", { service: 1 }, { A: operation(5, {}), B: operation(5, {}) }), {
    message: "T_B and T_A are both 5",
  })
})
