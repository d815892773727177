import test from "ava"
import { collectionOff, RXSTATS } from "../../../common/protocol/rxstats.ts"
import { rpcService } from "../../../common/rpc/service.ts"
import { rawCall } from "../../support/memory-call.ts"
import { opcodesOf, proveEveryCall } from "../../support/rpc-echo.ts"

const service = rpcService(
  RXSTATS,
  collectionOff(() => 1_700_000_000_123.4),
  {
    log: {
      error: (facts) => {
        throw new Error(JSON.stringify(facts))
      },
    },
  },
)

async function answer(...words: number[]): Promise<number[] | number> {
  const request = Buffer.alloc(4 * words.length)
  for (const [index, word] of words.entries()) request.writeUInt32BE(word, 4 * index)
  const { code, reply } = await rawCall(service, request)
  return code ?? Array.from({ length: reply.length / 4 }, (_, index) => Buffer.from(reply).readUInt32BE(4 * index))
}

test("rxstats: the table has every call of the protocol, by opcode and name", (t) => {
  t.deepEqual(opcodesOf(RXSTATS), [
    "0 RetrieveProcessRPCStats",
    "1 RetrievePeerRPCStats",
    "2 QueryProcessRPCStats",
    "3 QueryPeerRPCStats",
    "4 EnableProcessRPCStats",
    "5 EnablePeerRPCStats",
    "6 DisableProcessRPCStats",
    "7 DisablePeerRPCStats",
    "8 QueryRPCStatsVersion",
    "9 ClearProcessRPCStats",
    "10 ClearPeerRPCStats",
  ])
  t.is(RXSTATS.service, 409)
})

test("rxstats: a server that collects nothing says so, and lets nobody change it", async (t) => {
  t.deepEqual(await answer(0, 1), [1, 1_700_000_000, 123_000, 0, 0])
  t.deepEqual(await answer(1, 1), [1, 1_700_000_000, 123_000, 0, 0])
  t.deepEqual(await answer(2), [0])
  t.deepEqual(await answer(3), [0])
  t.deepEqual(await answer(8), [1])
  for (const opcode of [4, 5, 6, 7]) t.is(await answer(opcode), 1)
  for (const opcode of [9, 10]) t.is(await answer(opcode, 0), 1)
  t.is(await answer(11), -455)
  t.is(await answer(0), -453)
})

test("rxstats: every call of the table carries its arguments and results between client and server", async (t) => {
  await proveEveryCall(t, RXSTATS)
})
