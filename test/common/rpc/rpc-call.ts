import test from "ava"
import { CallStream, isRpcError, RpcError } from "../../../common/rpc/rpc-call.ts"
import { arrived, MemoryCall } from "../../support/memory-call.ts"

const bytes = (...values: number[]): Uint8Array => Uint8Array.from(values)

test("rpc-call: bytes are read in pieces of any limit, in order, and what was taken too much comes next", async (t) => {
  const { client, server } = MemoryCall.pair()
  const stream = new CallStream(server, bytes(1, 2, 3))
  client.write(bytes(4, 5))
  client.finish()
  t.deepEqual(stream.read(2), bytes(1, 2))
  const into = new Uint8Array(4)
  t.is(stream.readInto(into, 1, 2), 2)
  t.deepEqual(into, bytes(0, 3, 4, 0))
  t.false(stream.isRead)
  await stream.readable()
  t.deepEqual(stream.read(), bytes(5))
  t.is(stream.read(), undefined)
  t.true(stream.isRead)
  await stream.readable()
})

test("rpc-call: bytes that are given back are read again", (t) => {
  const stream = new CallStream(MemoryCall.pair().server)
  stream.putBack(bytes(1, 2))
  t.throws(() => stream.putBack(bytes(3)), { message: /given back/ })
  t.deepEqual(stream.read(), bytes(1, 2))
})

test("rpc-call: a reader waits for data, for the end, and is told of a failure with its code", async (t) => {
  const { client, server } = MemoryCall.pair()
  const stream = new CallStream(server)
  const first = stream.readable()
  client.write(bytes(9))
  await first
  t.deepEqual(stream.read(), bytes(9))
  const failed = t.throwsAsync(stream.readable(), { message: /code -6/ })
  client.abort(-6)
  await failed
  t.is(stream.failure?.code, -6)
  await t.throwsAsync(stream.readable(), { message: /code -6/ })
})

test("rpc-call: bytes are gathered as they come, up to what was wanted or the end; a failure ends it", async (t) => {
  const { client, server } = MemoryCall.pair()
  const stream = new CallStream(server, bytes(1))
  const target = new Uint8Array(5)
  const gathered = stream.gather(target, 1)
  client.write(bytes(2, 3))
  await arrived()
  t.deepEqual(target, bytes(0, 1, 2, 3, 0), "they are there before anybody is woken")
  client.write(bytes(4, 5, 6))
  t.is(await gathered, 5)
  t.deepEqual(target, bytes(0, 1, 2, 3, 4))
  t.deepEqual(stream.read(), bytes(5, 6))
  const rest = stream.gather(target, 3)
  client.write(bytes(7))
  client.finish()
  t.is(await rest, 4)
  const other = MemoryCall.pair()
  const failed = t.throwsAsync(new CallStream(other.server).gather(target, 0), { message: /code -6/ })
  other.client.abort(-6)
  await failed
})

test("rpc-call: a call that was over before anyone listened has failed too", async (t) => {
  const { client, server } = MemoryCall.pair()
  client.abort(-6)
  await arrived()
  const stream = new CallStream(server)
  t.is(stream.failure?.code, -1)
  await t.throwsAsync(stream.readable(), { message: /over before/ })
})

test("rpc-call: two who wait for one call are an error, not a lost wake-up", async (t) => {
  const { client, server } = MemoryCall.pair()
  const stream = new CallStream(server)
  const first = stream.readable()
  await t.throwsAsync(stream.readable(), { message: /two places/ })
  client.finish()
  await first
})

test("rpc-call: an RPC's error is known by its code, and tells procedure and reason", (t) => {
  const error = new RpcError(110, "RXAFS_FetchStatus", { detail: "the volume is being moved" })
  t.is(error.message, "RXAFS_FetchStatus: code 110: the volume is being moved")
  t.true(isRpcError(error, 103, 110))
  t.true(isRpcError(error))
  t.false(isRpcError(error, 103))
  t.false(isRpcError(new Error("110")))
  t.is(new RpcError(5, "X", { cause: new Error("why") }).message, "X: code 5: why")
})
