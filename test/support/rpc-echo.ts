/** Proves an interface whole: client stubs and server dispatch joined in memory, for every call with random values. */
import type { ExecutionContext } from "ava"
import type { XdrOf } from "../../common/codec/xdr-type.ts"
import type { Operation, RpcInterface } from "../../common/protocol/rpc-interface.ts"
import { type BulkSink, type BulkSource, pieces } from "../../common/rpc/bulk-stream.ts"
import { type CallSource, rpcClient } from "../../common/rpc/client.ts"
import type { RpcCall } from "../../common/rpc/rpc-call.ts"
import { rpcService, type Service } from "../../common/rpc/service.ts"
import { connectionTo } from "./memory-call.ts"
import { type Random, seededRandom } from "./random.ts"
import { sampleOf } from "./xdr-samples.ts"

type Ask = XdrOf<Operation["request"]>
type Stub = (ask: Ask, move: (bulk: BulkSource & BulkSink) => Promise<void>) => Promise<unknown>

/** What one call is to carry, and what the server saw of it. */
interface Trial {
  readonly ask: unknown
  readonly reply: unknown
  readonly data: Buffer
  seen: unknown
}

async function collect(bulk: BulkSource): Promise<Buffer> {
  const parts: Uint8Array[] = []
  for await (const piece of pieces(bulk)) parts.push(Uint8Array.from(piece))
  return Buffer.concat(parts)
}

async function serveTrial(operation: Operation, trial: Trial, ask: unknown, bulk: BulkSource & BulkSink) {
  trial.seen = ask
  if (operation.bulk?.from === "client") trial.seen = [ask, await collect(bulk)]
  if (operation.bulk?.from === "server") {
    if (operation.bulk.length !== undefined) bulk.begin(trial.data.length)
    await bulk.write(trial.data)
  }
  return trial.reply
}

/** How a client gets to a service. */
type Connect = (service: Service, random: Random) => CallSource

const inMemory: Connect = (service, random) => {
  const size = 1 + random.below(1500)
  return connectionTo(service, { packetSize: () => size, queueBytes: 4000 })
}

async function tryCall(
  t: ExecutionContext,
  table: RpcInterface,
  name: string,
  random: Random,
  connect: Connect,
): Promise<void> {
  const operation = table.operations[name]
  if (operation === undefined) throw new Error(`${name} is not declared`)
  const data = Buffer.from(operation.bulk === undefined ? [] : random.bytes(random.below(4000)))
  const trial: Trial = {
    ask: sampleOf(operation.request, random),
    reply: sampleOf(operation.reply, random),
    data,
    seen: undefined,
  }
  const procedure = (ask: unknown, _call: RpcCall, bulk: BulkSource & BulkSink) =>
    serveTrial(operation, trial, ask, bulk)
  const log = { error: (facts: object) => t.fail(JSON.stringify(facts)) }
  // The types of one procedure among many are not known here.
  const service = rpcService(table, { [name]: procedure } as never, { log })
  const stub = rpcClient(table, connect(service, random))[name] as Stub
  const isUpload = operation.bulk?.from === "client"
  let got: Buffer = Buffer.alloc(0)
  const reply = await stub(trial.ask, async (bulk) => {
    if (isUpload) await bulk.write(data)
    else got = await collect(bulk)
  })
  t.deepEqual(reply, trial.reply, operation.name)
  t.deepEqual(trial.seen, isUpload ? [trial.ask, data] : trial.ask, operation.name)
  if (operation.bulk?.from === "server") t.deepEqual(got, data, operation.name)
}

/** Calls every procedure of the table some times, over packets of random sizes. */
export async function proveEveryCall(
  t: ExecutionContext,
  table: RpcInterface,
  connect: Connect = inMemory,
): Promise<void> {
  const random = seededRandom(t)
  for (const name of Object.keys(table.operations))
    for (let round = 0; round < 8; round++) await tryCall(t, table, name, random, connect)
}

/** The table's opcodes and names, ascending: to be compared with the protocol's list. */
export const opcodesOf = (table: RpcInterface): string[] =>
  Object.entries(table.operations)
    .sort(([, a], [, b]) => a.opcode - b.opcode)
    .map(([name, { opcode }]) => `${opcode} ${name}`)
