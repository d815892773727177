import test from "ava"
import { i32, text, u32 } from "../../../common/codec/xdr.ts"
import { array, struct } from "../../../common/codec/xdr-composite.ts"
import { AfsError } from "../../../common/error.ts"
import { download, IN, OUT, operation, rpcInterface, upload } from "../../../common/protocol/rpc-interface.ts"
import { fill } from "../../../common/rpc/bulk-stream.ts"
import { RpcError } from "../../../common/rpc/rpc-call.ts"
import {
  type Procedure,
  type Procedures,
  rpcService,
  type Service,
  type ServiceOptions,
} from "../../../common/rpc/service.ts"
import { arrived, MemoryCall, type RawAnswer, rawCall } from "../../support/memory-call.ts"
import { seededRandom } from "../../support/random.ts"

const operations = {
  Add: operation(1, { a: IN(u32), b: IN(u32), sum: OUT(u32) }),
  Greet: operation(2, { name: IN(text(8)), greeting: OUT(text(16)) }),
  None: operation(3, {}),
  Many: operation(4, { count: IN(u32), items: OUT(array(u32)) }),
  Put: upload(5, { length: IN(u32), count: OUT(u32) }),
  Get: download(6, { length: IN(u32), end: OUT(u32) }, i32),
  Row: operation(7, { row: IN(struct("Row", { items: array(u32) })), sum: OUT(u32) }),
  Absent: operation(8, {}),
}
const plain = rpcInterface("T", { service: 9 }, operations)
const contiguous = rpcInterface("T", { service: 9, isContiguous: true }, operations)

type Table = (typeof plain)["operations"]

interface Faults {
  readonly lines: string[]
  readonly log: ServiceOptions["log"]
}

function faults(): Faults {
  const lines: string[] = []
  return { lines, log: { error: (facts, message) => lines.push(`${message} ${JSON.stringify(facts)}`) } }
}

function serviceOf(procedures: Procedures<Table>, options: Partial<ServiceOptions> = {}, table = plain): Service {
  return rpcService(table, procedures, { log: faults().log, ...options })
}

const request = (opcode: number, ...words: number[]): Buffer => {
  const bytes = Buffer.alloc(4 + 4 * words.length)
  for (const [index, word] of [opcode, ...words].entries()) bytes.writeUInt32BE(word, 4 * index)
  return bytes
}
const hexOf = ({ code, reply }: RawAnswer): string => code?.toString() ?? Buffer.from(reply).toString("hex")

test("service: a call whose arguments are here runs to its end before onCall returns", (t) => {
  const service = serviceOf({ Add: ({ a, b }) => ({ sum: a + b }) })
  const { client, server } = MemoryCall.pair()
  client.write(request(1, 2, 3))
  client.finish()
  service.onCall(server)
  t.deepEqual(client.read(), Uint8Array.of(0, 0, 0, 5))
  t.true(client.isRead)
})

test("service: what is not a call of ours ends with the stub's codes", async (t) => {
  const service = serviceOf({ Add: ({ a, b }) => ({ sum: a + b }), Greet: () => ({ greeting: "" }) })
  const ends: readonly [string, Uint8Array, string][] = [
    ["nothing at all", Buffer.alloc(0), "-454"],
    ["half an opcode", Buffer.alloc(2), "-454"],
    ["an unknown opcode", request(9999), "-455"],
    ["a procedure that is declared and not offered", request(8), "-455"],
    ["no arguments", request(1), "-453"],
    ["too few bytes", request(1, 2, 3).subarray(0, 11), "-453"],
    ["a string above its bound", request(2, 9, 0, 0, 0), "-453"],
    ["a string that is announced and does not come", request(2, 8, 0), "-453"],
    ["a NUL in a string", request(2, 1, 0), "-453"],
    ["the right bytes and more", Buffer.concat([request(1, 2, 3), Buffer.alloc(5000, 1)]), "00000005"],
  ]
  for (const [what, bytes, end] of ends) {
    t.is(hexOf(await rawCall(service, bytes)), end, what)
    t.is(hexOf(await rawCall(service, bytes, { packetSize: () => 1 })), end, `${what}, byte by byte`)
  }
})

test("service: packet borders mean nothing", async (t) => {
  const random = seededRandom(t)
  const service = serviceOf({
    Greet: ({ name }) => ({ greeting: `hello ${name}` }),
    Row: ({ row }) => ({ sum: row.items.reduce((sum, item) => sum + item, 0) }),
  })
  for (let round = 0; round < 50; round++) {
    const options = { packetSize: () => 1 + random.below(40) }
    t.is(hexOf(await rawCall(service, request(2, 3, 0x616e6e00), options)), "0000000968656c6c6f20616e6e000000")
    const items = Array.from({ length: random.below(200) }, () => random.below(100))
    const sum = items.reduce((total, item) => total + item, 0)
    const { reply } = await rawCall(service, request(7, items.length, ...items), options)
    t.is(Buffer.from(reply).readUInt32BE(), sum)
  }
})

test("service: arguments without a bound of their own have that of the service", async (t) => {
  const service = serviceOf({ Row: () => ({ sum: 1 }) }, { requestBytesMax: 100 })
  t.is(hexOf(await rawCall(service, request(7, 23, ...Array<number>(23).fill(0)))), "00000001")
  t.is(hexOf(await rawCall(service, request(7, 24))), "-453")
  t.is(hexOf(await rawCall(service, request(7, 0xffffffff))), "-453")
})

test("service: a procedure without results answers with an empty reply, now or later", async (t) => {
  const now = await rawCall(serviceOf({ None: () => undefined }), request(3))
  t.deepEqual([now.code, now.reply.length], [undefined, 0])
  const later = await rawCall(serviceOf({ None: async () => undefined }), request(3))
  t.deepEqual([later.code, later.reply.length], [undefined, 0])
})

test("service: errors that callers may see go out as their numbers and are not logged", async (t) => {
  const { lines, log } = faults()
  const thrown: readonly [Error, number][] = [
    [new AfsError("VNOVOL", "find", { volume: 7 }), 103],
    [new AfsError("VRESTARTING", "find"), -100],
    [new AfsError("EACCES", "find"), 13],
    [new RpcError(363_524, "VL_GetEntryByNameU"), 363_524],
    [new RpcError(28, "T_None"), 28],
  ]
  for (const [error, code] of thrown) {
    const service = serviceOf(
      {
        None: () => {
          throw error
        },
        Add: () => Promise.reject(error),
      },
      { log },
    )
    t.is((await rawCall(service, request(3))).code, code)
    t.is((await rawCall(service, request(1, 1, 1))).code, code)
  }
  t.deepEqual(lines, [])
})

test("service: what nobody foresaw is VIO for the client and one line in the log", async (t) => {
  const thrown = [
    new TypeError("x is undefined"),
    new AfsError("DAMAGED", "read", { volume: 7 }),
    new RpcError(0, "T_None"),
    "not even an error",
  ]
  for (const error of thrown) {
    const { lines, log } = faults()
    const service = serviceOf(
      {
        None: () => {
          throw error
        },
        Add: () => Promise.reject(error),
      },
      { log },
    )
    t.is((await rawCall(service, request(3))).code, 112)
    t.is((await rawCall(service, request(1, 1, 1))).code, 112)
    t.is(lines.length, 2)
    t.regex(lines.join("\n"), /call failed unforeseen .*"op":"T_None".*"op":"T_Add"/s)
  }
})

test("service: contiguous interfaces turn ENOSPC and EDQUOT into AFS's own codes, others do not", async (t) => {
  for (const [errno, code] of [
    [28, 108],
    [122, 109],
    [13, 13],
  ] as const) {
    const procedures: Procedures<Table> = {
      None: () => {
        throw new RpcError(errno, "T_None")
      },
    }
    t.is((await rawCall(serviceOf(procedures, {}, contiguous), request(3))).code, code)
    t.is((await rawCall(serviceOf(procedures), request(3))).code, errno)
  }
})

test("service: the suite's own errors are translated for callers that want it; codes of others go out as they are", async (t) => {
  const service = serviceOf(
    {
      None: () => {
        throw new AfsError("EACCES", "find")
      },
      Add: () => {
        throw new RpcError(22, "T_Add")
      },
    },
    { translate: (code, { connection }) => (connection.user?.name === "ann" ? code + connection.peer.port : code) },
  )
  t.is((await rawCall(service, request(3))).code, 13 + 7001)
  t.is((await rawCall(service, request(1, 1, 1))).code, 22)
  t.is((await rawCall(service, request(99))).code, -455)
})

test("service: results that break their declaration end with -452 and are logged", async (t) => {
  const { lines, log } = faults()
  const service = serviceOf({ Greet: () => ({ greeting: "x".repeat(17) }) }, { log })
  t.is((await rawCall(service, request(2, 0))).code, -452)
  t.is(lines.length, 1)
})

test("service: a reply larger than the queue goes out as the client reads it", async (t) => {
  const count = 50_000
  const service = serviceOf({ Many: (ask) => ({ items: Array.from({ length: ask.count }, (_, index) => index) }) })
  const { reply } = await rawCall(service, request(4, count), { queueBytes: 3000 })
  t.is(reply.length, 4 + 4 * count)
  t.is(Buffer.from(reply).readUInt32BE(4 * count), count - 1)
})

test("service: replies that wait for room are not mixed with the replies of other calls", async (t) => {
  const service = serviceOf({
    Greet: ({ name }) => ({ greeting: `${name}!` }),
    Many: (ask) => ({ items: Array.from({ length: 100 }, () => ask.count) }),
  })
  const answers = await Promise.all(
    [1, 2, 3, 4].map((mark) => rawCall(service, request(4, mark), { queueBytes: 16, packetSize: () => 7 })),
  )
  for (const [index, { reply }] of answers.entries())
    t.deepEqual(reply, request(100, ...Array<number>(100).fill(index + 1)))
})

test("service: data behind the arguments belongs to the procedure, wherever the packets end", async (t) => {
  const random = seededRandom(t)
  for (let round = 0; round < 40; round++) {
    const data = random.bytes(random.below(3000))
    let stored = Buffer.alloc(0)
    const service = serviceOf({
      async Put({ length }, _call, bulk) {
        const into = Buffer.alloc(length)
        const count = await fill(bulk, into)
        stored = into.subarray(0, count)
        return { count }
      },
    })
    const wanted = random.below(3000)
    const bytes = Buffer.concat([request(5, wanted), data])
    const { reply } = await rawCall(service, bytes, { packetSize: () => 1 + random.below(300) })
    t.is(Buffer.from(reply).readUInt32BE(), Math.min(wanted, data.length))
    t.deepEqual(stored, Buffer.from(data).subarray(0, wanted))
  }
})

test("service: data comes behind its length and before the results, without padding", async (t) => {
  const service = serviceOf({
    Get({ length }, _call, bulk) {
      bulk.begin(length)
      if (length > 0) void bulk.write(Buffer.alloc(length, 0xdd))
      return { end: 0x01020304 }
    },
  })
  for (const length of [0, 1, 2, 3, 4, 5])
    t.is(hexOf(await rawCall(service, request(6, length))), `0000000${length}${"dd".repeat(length)}01020304`)
})

test("service: data that is not what was announced ends the call, since its results would be taken for data", async (t) => {
  const { lines, log } = faults()
  const wrong: Procedure<Table["Get"]>[] = [
    () => ({ end: 1 }),
    (_ask, _call, bulk) => {
      bulk.begin(2)
      return { end: 1 }
    },
    (_ask, _call, bulk) => {
      bulk.begin(0)
      void bulk.write(Uint8Array.of(1))
      return { end: 1 }
    },
  ]
  for (const Get of wrong) t.is((await rawCall(serviceOf({ Get }, { log }), request(6, 0))).code, -452)
  t.is(lines.length, 3)
})

test("service: a split procedure that answers at once is over before onCall returns", (t) => {
  const service = serviceOf({
    Put: (_ask, _call, bulk) => {
      const into = new Uint8Array(3)
      const count = fill(bulk, into)
      return { count: typeof count === "number" ? count : 99 }
    },
  })
  const { client, server } = MemoryCall.pair()
  client.write(Buffer.concat([request(5, 3), Buffer.from("abc")]))
  client.finish()
  service.onCall(server)
  t.deepEqual(client.read(), Uint8Array.of(0, 0, 0, 3))
})

test("service: a client that goes away ends its procedure's waiting, and nothing is logged", async (t) => {
  const { lines, log } = faults()
  const { client, server } = MemoryCall.pair()
  let ended: (error: unknown) => void = () => undefined
  const end = new Promise<unknown>((resolve) => {
    ended = resolve
  })
  const service = serviceOf(
    {
      async Put(_ask, _call, bulk) {
        try {
          return { count: await fill(bulk, new Uint8Array(10)) }
        } catch (error) {
          ended(error)
          throw error
        }
      },
    },
    { log },
  )
  client.write(Buffer.concat([request(5, 10), Buffer.from("abc")]))
  service.onCall(server)
  client.abort(-6)
  t.regex(String(await end), /code -6/)
  await arrived()
  t.deepEqual(lines, [])
  t.is(client.received, 0)
})
