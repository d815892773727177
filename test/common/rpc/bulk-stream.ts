import test from "ava"
import { u32 } from "../../../common/codec/xdr.ts"
import { bulkSink, bulkSource, fill, pieces, uploadSink } from "../../../common/rpc/bulk-stream.ts"
import { CallStream, RpcError } from "../../../common/rpc/rpc-call.ts"
import { MemoryCall, type PairOptions } from "../../support/memory-call.ts"
import { seededRandom } from "../../support/random.ts"

function joined(options: PairOptions = {}): { client: MemoryCall; server: MemoryCall; stream: CallStream } {
  const { client, server } = MemoryCall.pair(options)
  return { client, server, stream: new CallStream(server) }
}

test("bulk-stream: what is here fills an array without a promise; the rest is waited for", async (t) => {
  const { client, stream } = joined()
  const source = bulkSource(stream)
  client.write(Uint8Array.of(1, 2, 3))
  const first = new Uint8Array(2)
  t.is(fill(source, first), 2)
  const rest = new Uint8Array(4)
  const waiting = fill(source, rest)
  t.not(typeof waiting, "number")
  client.write(Uint8Array.of(4))
  client.finish()
  t.is(await waiting, 2)
  t.deepEqual([...first, ...rest], [1, 2, 3, 4, 0, 0])
  t.true(source.isRead)
  t.is(fill(source, rest), 0)
})

test("bulk-stream: a source of a known length ends there, whatever follows", async (t) => {
  const { client, stream } = joined()
  client.write(Uint8Array.of(1, 2, 3, 4, 5))
  client.finish()
  const source = bulkSource(stream, 3)
  const read: number[] = []
  for await (const piece of pieces(source)) read.push(...piece)
  t.deepEqual(read, [1, 2, 3])
  t.is(source.missing, 0)
  t.is(source.read(), undefined)
  t.is(source.readInto(new Uint8Array(5), 0, 5), 0)
  await source.readable()
  t.deepEqual(stream.read(), Uint8Array.of(4, 5))
})

test("bulk-stream: pieces end early where the peer does, and the source knows what is missing", async (t) => {
  const { client, stream } = joined()
  const source = bulkSource(stream, 10)
  client.write(Uint8Array.of(1))
  client.finish()
  const read: number[] = []
  for await (const piece of pieces(source, 4)) read.push(...piece)
  t.deepEqual(read, [1])
  t.is(source.missing, 9)
})

test("bulk-stream: pieces of random packets make the data, and never more waits than the window holds", async (t) => {
  const random = seededRandom(t)
  const queueBytes = 5000
  const { client, server, stream } = joined({ queueBytes, packetSize: () => 1 + random.below(1500) })
  const data = random.bytes(200_000)
  const sending = (async () => {
    const out = new CallStream(client)
    const sink = uploadSink(out, "T_Put")
    for (let at = 0; at < data.length; ) {
      const size = 1 + random.below(20_000)
      await sink.write(data.subarray(at, at + size))
      at += size
    }
    client.finish()
  })()
  const read: Uint8Array[] = []
  for await (const piece of pieces(bulkSource(stream))) read.push(Uint8Array.from(piece))
  await sending
  t.deepEqual(Buffer.concat(read), Buffer.from(data))
  t.true(server.waitingMax <= queueBytes, `${server.waitingMax}`)
})

test("bulk-stream: a sink writes its length first and keeps to it", (t) => {
  const { client, stream } = joined()
  const sink = bulkSink(stream, "T_Get", u32)
  t.throws(() => sink.check(), { instanceOf: RpcError, message: /0 bytes were written, none announced/ })
  t.throws(() => sink.begin(2 ** 32), { instanceOf: RangeError })
  sink.begin(3)
  t.throws(() => sink.begin(3), { message: /no length/ })
  t.is(sink.write(Uint8Array.of(7, 8)), undefined)
  t.throws(() => sink.check(), { message: /2 bytes were written, 3 announced/ })
  void sink.write(Uint8Array.of(9))
  sink.check()
  t.throws(() => void sink.write(Uint8Array.of(1)), { message: /4 bytes were written, 3 announced/ })
  t.deepEqual(
    Buffer.concat([client.read(), client.read(), client.read()].map((piece) => piece ?? Buffer.alloc(0))).toString(
      "hex",
    ),
    "00000003070809",
  )
})

test("bulk-stream: results may not overtake data that waits for room", async (t) => {
  const { client, stream } = joined({ queueBytes: 2 })
  const sink = bulkSink(stream, "T_Dump", undefined)
  const waiting = sink.write(Uint8Array.of(1, 2, 3))
  t.throws(() => sink.check(), { message: /awaited/ })
  t.is(client.read()?.length, 2)
  await waiting
  sink.check()
  t.is(client.read()?.length, 1)
})

test("bulk-stream: a writer that waits is told when the call fails", async (t) => {
  const { client, server, stream } = joined({ queueBytes: 2 })
  const waiting = bulkSink(stream, "T_Dump", undefined).write(Uint8Array.of(1, 2, 3))
  client.abort(-6)
  await t.throwsAsync(async () => await waiting, { message: /code -6/ })
  t.is(server.code, -6)
})

test("bulk-stream: an upload stops when the server answers before it has all", async (t) => {
  const { client, server } = MemoryCall.pair({ queueBytes: 2 })
  const sink = uploadSink(new CallStream(client), "T_Put")
  const waiting = sink.write(Uint8Array.of(1, 2, 3, 4))
  server.write(Uint8Array.of(0))
  server.finish()
  await waiting
  t.is(server.received, 2)
  t.throws(() => sink.begin(1), { message: /no length/ })
})
