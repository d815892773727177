import test, { type ExecutionContext } from "ava"
import type { XdrOutcome } from "../../common/codec/xdr-bytes.ts"
import { FormatError } from "../../common/error.ts"
import { RXAFSCB } from "../../common/protocol/afscbint.ts"
import { RXAFS } from "../../common/protocol/afsint.ts"
import { PR } from "../../common/protocol/ptint.ts"
import type { Operation, RpcInterface } from "../../common/protocol/rpc-interface.ts"
import { RXSTATS } from "../../common/protocol/rxstats.ts"
import { VL } from "../../common/protocol/vldbint.ts"
import { fill } from "../../common/rpc/bulk-stream.ts"
import { type Procedures, rpcService } from "../../common/rpc/service.ts"
import { arrived, MemoryCall } from "../support/memory-call.ts"
import { fuzz, fuzzMs, type Random, seededRandom } from "../support/random.ts"
import { sampleOf } from "../support/xdr-samples.ts"

const tables: readonly RpcInterface[] = [RXAFS, RXAFSCB, VL, PR, RXSTATS]
const operations: readonly Operation[] = tables.flatMap((table) => Object.values(table.operations))

/** Bytes as an enemy sends them: noise, or a message that was true until some bytes were changed, cut or added. */
function hostile(random: Random, operation: Operation): Buffer {
  const type = random.below(2) === 0 ? operation.request : operation.reply
  const bytes =
    random.below(4) === 0
      ? Buffer.from(random.bytes(random.below(300)))
      : Buffer.concat([type.encode(sampleOf(type, random)), random.bytes(random.below(9))])
  for (let changes = random.below(4); changes > 0 && bytes.length > 0; changes--) {
    const at = random.below(bytes.length)
    if (random.below(2) === 0) bytes[at] = random.below(256)
    // Words are where counts are.
    else if (at + 4 <= bytes.length) bytes.writeUInt32BE(random.pick([0, 1, 2 ** 31, 2 ** 32 - 1, 51, 257]), at & ~3)
  }
  return bytes.subarray(0, bytes.length - (random.below(3) === 0 ? random.below(bytes.length + 1) : 0))
}

const outcome: XdrOutcome = { at: 0, wanted: 0, fault: undefined }

test("fuzz: any bytes are a value that is written as it was read, too short by a known number, or a FormatError", (t) => {
  fuzz(t, (random) => {
    const operation = random.pick(operations)
    const type = random.below(2) === 0 ? operation.request : operation.reply
    const bytes = hostile(random, operation)
    const value = type.decode(bytes, 0, bytes.length, outcome)
    const { at, wanted, fault } = outcome
    if (fault === undefined && wanted === 0) {
      if (at > bytes.length) t.fail(`${type.name}: read ${at} of ${bytes.length} bytes`)
      checkWritten(t, operation, type, value)
      return
    }
    if (fault === undefined && wanted <= bytes.length) t.fail(`${type.name}: wants ${wanted} and has ${bytes.length}`)
    t.throws(() => type.read(bytes), { instanceOf: FormatError })
  })
  t.pass()
})

type Checks = Pick<ExecutionContext, "fail">

/** What was read is the same after writing and reading it; text that has no room for its NUL cannot be written. */
function checkWritten(t: Checks, operation: Operation, type: Operation["request"], value: unknown): void {
  let written: Uint8Array
  try {
    written = type.encode(value)
  } catch (error) {
    if (error instanceof RangeError && /length \d+ is above/.test(error.message)) return
    throw error
  }
  const again = type.encode(type.read(written))
  if (Buffer.compare(written, again) !== 0) t.fail(`${operation.name}: changed by writing`)
}

test("fuzz: a message that is cut short always wants more, and never more than it had", (t) => {
  fuzz(t, (random) => {
    const { request, reply } = random.pick(operations)
    const type = random.below(2) === 0 ? request : reply
    const bytes = type.encode(sampleOf(type, random))
    if (bytes.length === 0) return
    const end = random.below(bytes.length)
    type.decode(bytes, 0, end, outcome)
    const { wanted, fault } = outcome
    if (fault !== undefined || wanted <= end || wanted > bytes.length)
      t.fail(`${type.name}: ${JSON.stringify(fault)}, wants ${wanted} at ${end} of ${bytes.length}`)
  })
  t.pass()
})

const sync = { spare1: 0, spare2: 0, spare3: 0, spare4: 0, spare5: 0, spare6: 0 }

test("fuzz: a service answers or aborts every request, in whatever packets it comes, and goes on", async (t) => {
  const random = seededRandom(t)
  const faults: string[] = []
  const procedures: Procedures<(typeof RXAFS)["operations"]> = {
    GetTime: () => ({ Seconds: 1, USeconds: 2 }),
    SetLock: () => ({ Sync: sync }),
    GiveUpCallBacks: async () => undefined,
    async FetchData64(_ask, _call, bulk) {
      bulk.begin(100)
      await bulk.write(new Uint8Array(100))
      throw new Error("half way")
    },
    async StoreData64(_ask, _call, bulk) {
      const into = new Uint8Array(1000)
      while ((await fill(bulk, into)) === into.length);
      throw new Error("never enough")
    },
  }
  const service = rpcService(RXAFS, procedures, { log: { error: (_facts, message) => faults.push(message) } })
  const served = Object.keys(procedures).map((name) => RXAFS.operations[name as keyof typeof RXAFS.operations])
  const end = performance.now() + fuzzMs
  for (let round = 0; round === 0 || performance.now() < end; round++) {
    const operation = random.pick(served)
    const opcode = Buffer.alloc(4)
    opcode.writeUInt32BE(random.below(8) === 0 ? random.below(70_000) : operation.opcode)
    const request = Buffer.concat([opcode, hostile(random, operation)])
    const { client, server } = MemoryCall.pair({ packetSize: () => 1 + random.below(60) })
    client.write(request.subarray(0, random.below(5) === 0 ? random.below(5) : request.length))
    service.onCall(server)
    if (random.below(4) === 0) client.abort(-6)
    else client.finish()
    for (let turn = 0; turn < 10 && client.code === undefined && !client.isRead; turn++) {
      await arrived()
      while (client.read() !== undefined);
    }
    if (client.code === undefined && !client.isRead) t.fail(`no end of ${request.toString("hex")}`)
  }
  t.true(faults.every((fault) => fault === "call failed unforeseen"))
  t.pass()
})
