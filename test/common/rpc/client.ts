import test from "ava"
import { i64, text, u32 } from "../../../common/codec/xdr.ts"
import { AfsError } from "../../../common/error.ts"
import { download, IN, OUT, operation, rpcInterface, upload } from "../../../common/protocol/rpc-interface.ts"
import { pieces } from "../../../common/rpc/bulk-stream.ts"
import { type CallSource, rpcClient } from "../../../common/rpc/client.ts"
import { isRpcError, RpcError } from "../../../common/rpc/rpc-call.ts"
import { type Procedures, rpcService } from "../../../common/rpc/service.ts"
import { arrived, connectionTo, MemoryCall, type PairOptions } from "../../support/memory-call.ts"
import { seededRandom } from "../../support/random.ts"

const table = rpcInterface(
  "T",
  { service: 9 },
  {
    Greet: operation(2, { name: IN(text(8)), greeting: OUT(text(16)) }),
    None: operation(3, {}),
    Put: upload(5, { length: IN(u32), count: OUT(u32) }),
    Get: download(6, { length: IN(u32), end: OUT(u32) }, i64),
    Dump: download(7, {}, undefined),
  },
)
type Table = (typeof table)["operations"]

function clientOf(procedures: Procedures<Table>, options: PairOptions = {}) {
  const log = {
    error: (facts: object) => {
      throw new Error(`unforeseen: ${JSON.stringify(facts)}`)
    },
  }
  const connection = connectionTo(rpcService(table, procedures, { log }), options)
  return { stubs: rpcClient(table, connection), connection }
}

/** A server that answers every call with these bytes. */
function answering(reply: string): CallSource {
  return {
    newCall() {
      const { client, server } = MemoryCall.pair()
      server.write(Buffer.from(reply.replaceAll(" ", ""), "hex"))
      server.finish()
      return client
    },
  }
}

test("client: a stub takes the arguments by name and gives the results", async (t) => {
  const { stubs } = clientOf({ Greet: ({ name }) => ({ greeting: `hello ${name}` }), None: () => undefined })
  t.deepEqual(await stubs.Greet({ name: "ann" }), { greeting: "hello ann" })
  t.deepEqual(await stubs.None(), {})
})

test("client: what the server refuses with is thrown with its code and the procedure's name", async (t) => {
  const { stubs } = clientOf({
    Greet: () => {
      throw new AfsError("VNOVOL", "find")
    },
  })
  const error = await t.throwsAsync(stubs.Greet({ name: "ann" }), {
    instanceOf: RpcError,
    message: /^T_Greet: code 103/,
  })
  t.true(isRpcError(error, 103))
  await t.throwsAsync(stubs.None(), { message: /^T_None: code -455/ })
})

test("client: arguments that break their bounds are -450, and nothing is sent", async (t) => {
  const { stubs, connection } = clientOf({ Greet: () => ({ greeting: "" }) })
  const error = await t.throwsAsync(stubs.Greet({ name: "x".repeat(9) }), {
    message: /T_Greet.name: length 9 is above 8/,
  })
  t.true(isRpcError(error, -450))
  t.is(connection.calls.length, 0)
})

test("client: results that are none are -451, with what was found; surplus is ignored", async (t) => {
  const greet = (reply: string) => rpcClient(table, answering(reply)).Greet({ name: "ann" })
  t.deepEqual(await greet("00000001 61000000 ffffffff"), { greeting: "a" })
  for (const [reply, message] of [
    ["", /0 bytes of results, 4 or more/],
    ["00000003 6161", /6 bytes of results, 8 or more/],
    ["00000011", /T_Greet.greeting: found 17 bytes, wanted at most 16/],
  ] as const) {
    const error = await t.throwsAsync(greet(reply), { message })
    t.true(isRpcError(error, -451))
  }
})

test("client: a server that never stops answering is cut off", async (t) => {
  const { client, server } = MemoryCall.pair({ queueBytes: 1 << 14 })
  const flood = (): void => {
    while (server.write(new Uint8Array(1 << 14)) > 0);
  }
  server.onRoom = flood
  flood()
  const greeting = rpcClient(table, { newCall: () => client }).Greet({ name: "ann" })
  const error = await t.throwsAsync(greeting, { message: /more than 20 bytes of results/ })
  t.true(isRpcError(error, -451))
  await arrived()
  t.is(server.code, -451)
})

test("client: a connection that gives no call, and a call that dies, are errors with their codes", async (t) => {
  const dead = Object.assign(new Error("no sign of life"), { code: -1 })
  const noCall: CallSource = {
    newCall() {
      throw dead
    },
  }
  t.true(isRpcError(await t.throwsAsync(rpcClient(table, noCall).None()), -1))
  const { client, server } = MemoryCall.pair()
  const waiting = rpcClient(table, { newCall: () => client }).None()
  server.abort(-3)
  t.true(isRpcError(await t.throwsAsync(waiting), -3))
})

test("client: data of every small length comes whole, and the results behind it, whatever the packets", async (t) => {
  const random = seededRandom(t)
  for (const length of [0, 1, 2, 3, 4, 5, 7, 8, 9, 1411, 1412, 1413, 70_000]) {
    const data = Buffer.from(random.bytes(length))
    const { stubs } = clientOf(
      {
        async Get(_ask, _call, bulk) {
          bulk.begin(length)
          await bulk.write(data)
          return { end: length }
        },
      },
      { packetSize: () => 1 + random.below(1500), queueBytes: 10_000 },
    )
    const read: Uint8Array[] = []
    const { end } = await stubs.Get({ length }, async (bulk) => {
      t.is(bulk.length, length)
      for await (const piece of pieces(bulk)) read.push(Uint8Array.from(piece))
    })
    t.is(end, length)
    t.deepEqual(Buffer.concat(read), data)
  }
})

test("client: data that the caller does not read is passed over", async (t) => {
  const { stubs } = clientOf({
    async Get(_ask, _call, bulk) {
      bulk.begin(5000)
      await bulk.write(new Uint8Array(5000))
      return { end: 1 }
    },
  })
  t.deepEqual(await stubs.Get({ length: 5000 }, () => undefined), { end: 1 })
  t.deepEqual(await stubs.Get({ length: 5000 }, (bulk) => void bulk.read(3)), { end: 1 })
})

test("client: a stream without a length goes to the end of the reply", async (t) => {
  const { stubs } = clientOf({
    async Dump(_ask, _call, bulk) {
      for (let index = 0; index < 100; index++) await bulk.write(Buffer.alloc(500, index))
    },
  })
  let total = 0
  t.deepEqual(
    await stubs.Dump({}, async (bulk) => {
      t.is(bulk.length, undefined)
      for await (const piece of pieces(bulk)) total += piece.length
    }),
    {},
  )
  t.is(total, 50_000)
})

test("client: a reply that ends inside its data, or whose length is none, is -451", async (t) => {
  const get = (reply: string) => rpcClient(table, answering(reply)).Get({ length: 1 }, () => undefined)
  for (const [reply, message] of [
    ["00000000", /4 of 8 bytes of the length/],
    ["00000000 00000003 0102", /1 bytes of data are missing/],
    ["ffffffff ffffffff 0102", /a length of -1/],
    ["00000000 00000001 01 000000", /3 bytes of results/],
  ] as const)
    t.true(isRpcError(await t.throwsAsync(get(reply), { message }), -451))
})

test("client: what goes up arrives whole; a server that has enough ends the upload with its answer", async (t) => {
  const random = seededRandom(t)
  const data = Buffer.from(random.bytes(100_000))
  let stored = Buffer.alloc(0)
  const { stubs } = clientOf(
    {
      async Put({ length }, _call, bulk) {
        const parts: Uint8Array[] = []
        for await (const piece of pieces(bulk, length)) parts.push(Uint8Array.from(piece))
        stored = Buffer.concat(parts)
        return { count: stored.length }
      },
    },
    { packetSize: () => 1 + random.below(1500), queueBytes: 10_000 },
  )
  t.deepEqual(await stubs.Put({ length: 200_000 }, (bulk) => bulk.write(data)), { count: 100_000 })
  t.deepEqual(stored, data)
  t.deepEqual(await stubs.Put({ length: 1000 }, (bulk) => bulk.write(data)), { count: 1000 })
})

test("client: a refusal in the midst of an upload is the server's code, and an error of the caller ends the call", async (t) => {
  const { stubs, connection } = clientOf(
    {
      async Put({ length }, _call, bulk) {
        if (length === 1) throw new AfsError("VOVERQUOTA", "store")
        await bulk.readable()
        await bulk.readable()
        return { count: 0 }
      },
    },
    { queueBytes: 1000 },
  )
  const error = await t.throwsAsync(stubs.Put({ length: 1 }, (bulk) => bulk.write(new Uint8Array(5000))))
  t.true(isRpcError(error, 109))
  const mine = new Error("the disk is gone")
  const thrown = await t.throwsAsync(
    stubs.Put({ length: 2 }, () => {
      throw mine
    }),
  )
  t.is(thrown, mine)
  await arrived()
  t.is(connection.calls[1]?.code, -6)
})
