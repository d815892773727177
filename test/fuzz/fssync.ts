import { createConnection } from "node:net"
import { join } from "node:path"
import test, { type ExecutionContext } from "ava"
import { FormatError } from "../../common/error.ts"
import { fssyncProtocol, fssyncRows } from "../../fssync/command-table.ts"
import { FrameReader, packFrame, requestBytesMax } from "../../fssync/frame.ts"
import { FssyncClient } from "../../fssync/fssync-client.ts"
import { channelClose, responses } from "../../fssync/message.ts"
import { decodeAnswer, decodeCall, encodeAnswer, encodeCall } from "../../fssync/message-codec.ts"
import { openafsPayloads } from "../../fssync/openafs-payload.ts"
import { encodeRequest } from "../../fssync/openafs-request.ts"
import { OpenafsAnswers, OpenafsServerForm } from "../../fssync/openafs-server-form.ts"
import { unpackPlain } from "../../fssync/plain-msgpack.ts"
import { impatientRule } from "../../fssync/retry-rule.ts"
import { listenSync } from "../../fssync/server.ts"
import { fuzz, fuzzMs, type Random, randomOf, seededRandom } from "../support/random.ts"
import { connectRaw, fssyncMark, requestFrame, until } from "../support/raw-peer.ts"
import { okAnswer, sampleRequest, sampleRow, sampleVolume } from "../support/sync-samples.ts"
import { temporaryDirectory } from "../support/temporary-directory.ts"

const plainValues: readonly unknown[] = [
  0,
  1,
  -1,
  65543,
  2 ** 31,
  2 ** 32 - 1,
  2 ** 40,
  0.5,
  "",
  "/vicepa",
  "x".repeat(300),
  null,
  true,
  Buffer.alloc(20),
]

/** Any plain value, small or nested. */
function someValue(random: Random, depth = 0): unknown {
  if (depth > 6 || random.below(4) > 0) return random.pick(plainValues)
  return Array.from({ length: random.below(14) }, () => someValue(random, depth + 1))
}

/** Bytes with some of them changed, cut off, put in or doubled. */
function damage(random: Random, bytes: Uint8Array): Buffer {
  const copy = Buffer.from(bytes)
  const at = random.below(copy.length)
  switch (random.below(5)) {
    case 0:
      for (let count = 1 + random.below(4); count > 0; count--) copy[random.below(copy.length)] = random.below(256)
      return copy
    case 1:
      copy[at] = (copy[at] ?? 0) ^ (1 << random.below(8))
      return copy
    case 2:
      return copy.subarray(0, at)
    case 3:
      return Buffer.concat([copy.subarray(0, at), random.bytes(1 + random.below(8)), copy.subarray(at)])
    default:
      return Buffer.concat([copy, copy.subarray(at)])
  }
}

/** Runs a decoder, which may only return or throw a FormatError with a text of sane length. */
function decodesOrRefuses(t: ExecutionContext, decode: () => unknown): boolean {
  try {
    decode()
    return true
  } catch (error) {
    if (error instanceof FormatError && error.message.length < 500) return false
    t.fail(String(error))
    throw error
  }
}

test("fuzz: a request's body is a request or a FormatError", (t) => {
  const good = encodeCall(fssyncMark, { ...sampleRequest(), id: 1 }).subarray(8)
  let refused = 0
  const rounds = fuzz(t, (random) => {
    const body = random.below(2) === 0 ? damage(random, good) : packFrame(fssyncMark, someValue(random)).subarray(8)
    if (!decodesOrRefuses(t, () => decodeCall(Buffer.from(body)))) refused++
  })
  t.true(refused > rounds / 10)
})

test("fuzz: an answer's body, and every payload in it, is what its command returns or a FormatError", (t) => {
  const rows = Object.values(fssyncRows).flatMap((row) => (row.payload === undefined ? [] : [row.payload]))
  const payloads = [
    fssyncRows.VOL_QUERY.payload?.pack(sampleVolume(5)),
    fssyncRows.VOL_LIST.payload?.pack([sampleRow(5), sampleRow(6)]),
  ]
  const good = payloads.map((payload) =>
    encodeAnswer(fssyncMark, { id: 1, response: 0, reason: 0, payload }).subarray(8),
  )
  fuzz(t, (random) => {
    const body =
      random.below(3) > 0
        ? damage(random, random.pick(good))
        : packFrame(fssyncMark, [1, 0, 0, someValue(random)]).subarray(8)
    decodesOrRefuses(t, () => {
      const { payload } = decodeAnswer(Buffer.from(body))
      for (const shape of rows) decodesOrRefuses(t, () => shape.unpack(payload, "payload"))
    })
  })
  t.pass()
})

test("fuzz: random msgpack is a plain value or a FormatError, in bounded memory", (t) => {
  const before = process.memoryUsage().rss
  fuzz(t, (random) => {
    const bytes = random.bytes(1 + random.below(random.pick([8, 64, 2000])))
    // the tags that announce much
    if (random.below(2) === 0) bytes[0] = random.pick([0xdd, 0xdc, 0xdf, 0xdb, 0xc6, 0xc9, 0x9f, 0xd4])
    decodesOrRefuses(t, () => unpackPlain(Buffer.from(bytes)))
  })
  t.true(process.memoryUsage().rss - before < 256 << 20)
})

test("fuzz: a damaged stream in random chunks gives frames until it is refused, and then nothing", (t) => {
  fuzz(t, (random) => {
    const frames = Array.from({ length: 5 }, (_, id) => requestFrame({ id: id + 1 }))
    const stream = damage(random, Buffer.concat(frames))
    const reader = new FrameReader(fssyncMark, requestBytesMax)
    decodesOrRefuses(t, () => {
      for (let at = 0; at < stream.length; ) {
        const size = 1 + random.below(100)
        reader.push(stream.subarray(at, at + size))
        at += size
        for (let body = reader.next(); body !== undefined; body = reader.next()) decodeCall(body)
      }
    })
  })
  t.pass()
})

const openafsCommands = [...fssyncProtocol.commands.values()].filter((row) => row.openafs !== undefined)

/** A request as some program of OpenAFS might send it. */
function openafsRequest(random: Random): Buffer {
  const row = random.pick(openafsCommands)
  return encodeRequest(
    row.openafs?.request,
    sampleRequest({ command: row.code, volume: random.below(10) }),
    random.below(9),
  )
}

test("fuzz: a damaged stream of OpenAFS's form gives requests until it is refused, in bounded memory", (t) => {
  let refused = 0
  const rounds = fuzz(t, (random) => {
    const form = new OpenafsServerForm(new OpenafsAnswers(fssyncProtocol, undefined))
    const stream = damage(random, Buffer.concat(Array.from({ length: 4 }, () => openafsRequest(random))))
    const taken = decodesOrRefuses(t, () => {
      for (let at = 0; at < stream.length; ) {
        const size = 1 + random.below(200)
        form.push(stream.subarray(at, at + size))
        at += size
        for (let calls = 0; form.next() !== undefined; calls++)
          if (calls > stream.length) t.fail("requests without end")
      }
    })
    if (!taken) refused++
    t.true(form.pendingBytes <= stream.length)
  })
  t.true(refused > rounds / 10)
})

test("fuzz: an answer's payload in OpenAFS's form is what its command returns or a FormatError", (t) => {
  const payloads = Object.values(openafsPayloads)
  const good = [openafsPayloads.volume.write(sampleVolume(5)), openafsPayloads.group.write({ parent: 5, members: [5] })]
  fuzz(t, (random) => {
    const bytes = random.below(2) === 0 ? damage(random, random.pick(good)) : random.bytes(random.below(600))
    for (const payload of payloads) decodesOrRefuses(t, () => payload.read(bytes, random.below(1 << 16)))
  })
  t.pass()
})

const quiet = { info: () => undefined, warn: () => undefined, error: () => undefined }

/** What one hostile client does: a few good requests, then nonsense, then it may hang up in the middle. */
function hostile(random: Random): Buffer {
  const isOpenafs = random.below(2) === 0
  const good = Array.from({ length: random.below(4) }, (_, id) =>
    isOpenafs ? openafsRequest(random) : requestFrame({ id: id + 1, volume: random.below(10) }),
  )
  const close = random.below(8) === 0 ? [requestFrame({ command: channelClose })] : []
  return Buffer.concat([
    ...good,
    ...close,
    random.pick([
      damage(random, requestFrame({ id: 9 })),
      damage(random, openafsRequest(random)),
      Buffer.concat([openafsRequest(random), openafsRequest(random)]),
      Buffer.from(random.bytes(random.below(400))),
    ]),
  ])
}

test("fuzz: a server under hostile clients answers the others and lets every one of them go", async (t) => {
  const random = seededRandom(t)
  const path = join(temporaryDirectory(t), "fssync.sock")
  let gone = 0
  const server = await listenSync({
    path,
    protocol: fssyncProtocol,
    log: quiet,
    onChannelClosed: () => gone++,
    handle: (request) => {
      const answer = { ...okAnswer, payload: sampleVolume(request.volume) }
      return request.volume % 2 === 0 ? answer : new Promise((resolve) => setImmediate(() => resolve(answer)))
    },
  })
  t.teardown(() => server.close())
  const witness = new FssyncClient({ path, programType: "debugUtility", rule: impatientRule })
  t.teardown(() => witness.close())
  let clients = 0
  const end = performance.now() + fuzzMs
  while (performance.now() < end) {
    const peers = Array.from({ length: 8 }, () => {
      clients++
      const socket = createConnection({ path })
      socket.on("error", () => undefined)
      socket.resume()
      const bytes = hostile(random)
      const cut = random.below(bytes.length + 1)
      socket.write(bytes.subarray(0, cut))
      socket.write(bytes.subarray(cut))
      return socket
    })
    const { payload } = await witness.queryVolume(clients)
    t.is(payload?.hashid, clients)
    for (const socket of peers) socket.end()
    await until(() => gone === clients)
  }
  t.log(`${clients} hostile clients`)
  t.is(witness.client.connections, 1)
  t.is((await witness.queryVolume(5)).payload?.hashid, 5)
  const late = await connectRaw(t, path)
  late.send(requestFrame({ id: 3 }))
  t.like((await late.answered(1))[0], { id: 3, response: responses.OK })
})

test("fuzz: the same seed makes the same damage", (t) => {
  const [one, two] = [randomOf(5), randomOf(5)]
  for (let round = 0; round < 100; round++) t.deepEqual(hostile(one), hostile(two))
})
