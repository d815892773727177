/** OpenAFS's form at the server, by bytes that OpenAFS's own programs sent and by such as none of them would. */
import test, { type ExecutionContext } from "ava"
import { newVolumeInfo } from "../../common/volume/volume-info.ts"
import { fssyncProtocol, type SyncProtocol, salvsyncProtocol } from "../../fssync/command-table.ts"
import { fssyncCommands, fssyncReasons, responses, type SyncAnswer, type SyncRequest } from "../../fssync/message.ts"
import { encodeRequest } from "../../fssync/openafs-request.ts"
import { listenSync, type SyncHandler } from "../../fssync/server.ts"
import { connectOpenafs, hex } from "../support/openafs-peer.ts"
import { connectRaw, requestFrame, until } from "../support/raw-peer.ts"
import { okAnswer, sampleRequest, sampleVolume } from "../support/sync-samples.ts"
import { temporaryDirectory } from "../support/temporary-directory.ts"

const { OK, COM_ERROR, BAD_COMMAND, FAILED, DENIED } = responses
const quiet = { info: () => undefined, warn: () => undefined, error: () => undefined }

interface Running {
  readonly path: string
  readonly seen: SyncRequest[]
  readonly closed: number[]
}

async function serve(
  t: ExecutionContext,
  handle: SyncHandler,
  protocol: SyncProtocol = fssyncProtocol,
): Promise<Running> {
  const path = `${temporaryDirectory(t)}/test.sock`
  const seen: SyncRequest[] = []
  const closed: number[] = []
  const status = () => ({ known: false, state: 0, prio: 0, sq_len: 2, pq_len: 1 })
  const server = await listenSync({
    path,
    protocol,
    log: quiet,
    ...(protocol === salvsyncProtocol ? { status } : {}),
    onChannelClosed: (channel) => closed.push(channel.id),
    handle(request, channel) {
      seen.push(request)
      return handle(request, channel)
    },
  })
  t.teardown(() => server.close())
  return { path, seen, closed }
}

const fine = (): SyncAnswer => okAnswer
const query: SyncHandler = ({ volume }) => ({ ...okAnswer, payload: sampleVolume(volume) })

/** Requests of dafssync-debug, davolserver and a salvage worker, as they were seen, and what of them matters. */
const captured: readonly (readonly [string, string, Partial<SyncRequest>])[] = [
  [
    "VOL_QUERY",
    "03000000 01000000 01000000 05000000 fa330000 40970fc7 07000100 00000100 3c000000 02000000 | 0e000020 2f766963657061000000000000000000",
    { programType: 5, pid: 13306, thread: 0xc70f9740, reason: 65536, volume: 0x2000000e, partition: "/vicepa" },
  ],
  [
    "VOL_NEEDVOLUME",
    "03000000 07000000 07000000 06000000 cd320000 c096ff10 03000100 02000000 3c000000 02000000 | 11000020 2f766963657061000000000000000000",
    { programType: 6, pid: 13005, reason: 2, volume: 0x20000011 },
  ],
  [
    "VOL_BREAKCBKS",
    "03000000 07000000 07000000 06000000 cd320000 c096ff10 05000100 00000000 3c000000 02000000 | 13000020 00000000000000000000000000000000",
    { volume: 0x20000013, partition: "" },
  ],
  [
    "VG_ADD",
    "03000000 01000000 01000000 05000000 ba350000 40679f04 14000100 00000100 40000000 02000000 | 0e000020 a1bb0d00 2f766963657061000000000000000000",
    { parent: 0x2000000e, volume: 900001, partition: "/vicepa" },
  ],
  [
    "VOL_STATS_VICEP",
    "03000000 01000000 01000000 05000000 ba350000 40679f04 0b000100 00000100 38000000 02000000 | 2f766963657061000edf1f84ab7f0000",
    { partition: "/vicepa", volume: 0 },
  ],
  [
    "VOL_STATS_HASH",
    "03000000 01000000 01000000 05000000 ba350000 40679f04 0c000100 00000100 38000000 02000000 | 05000000 0edf1f84ab7f000001020304",
    { volume: 5, partition: "" },
  ],
  [
    "VOL_STATS_GENERAL",
    "03000000 01000000 01000000 05000000 ba350000 40679f04 0a000100 00000100 38000000 02000000 | 20e0c90d 3c7f0000 0eafc70d 3c7f0000",
    { volume: 0, partition: "" },
  ],
  [
    "VOL_QUERY_VNODE",
    "03000000 01000000 01000000 05000000 ba350000 40679f04 12000100 03000100 48000000 02000000 | 0e000020 01000000 02000000 00000000 ffffffffffffffffffffffffffffffff",
    { volume: 0x2000000e, vnode: 1, unique: 2, partition: "" },
  ],
]

for (const [name, bytes, fields] of captured) {
  test(`OpenAFS's form: ${name} as OpenAFS's programs send it is understood`, async (t) => {
    const { path, seen } = await serve(t, () => ({ response: FAILED, reason: 7 }))
    const peer = await connectOpenafs(t, path)
    peer.send(hex(bytes))
    const [answer] = await peer.answered(1)
    t.like(seen[0], { command: fssyncCommands[name as keyof typeof fssyncCommands], ...fields }) // a name of the table
    t.like(answer, { version: 3, length: 32, response: FAILED, reason: 7, flags: 2 })
    t.is(answer?.commandSequence, hex(bytes).readUInt32LE(8))
  })
}

test("OpenAFS's form: SALVSYNC's SALVAGE and LINK are understood; every answer is 64 bytes long and tells what is known", async (t) => {
  const status = { known: true, state: 1, prio: 3, sq_len: 1, pq_len: 0 }
  const { path, seen } = await serve(t, () => ({ ...okAnswer, payload: status }), salvsyncProtocol)
  const peer = await connectOpenafs(t, path)
  peer.send(
    hex(
      "03000000 01000000 01000000 00000000 3a570000 4077c33f 06000100 00000100 60000000 02000000 | 03000000 03000000 10000020 0e000020 2f766963657061000000000000000000 000000000000000000000000000000000000000000000000",
    ),
  )
  const [answer] = await peer.answered(1)
  t.like(seen[0], {
    command: 65542,
    volume: 0x20000010,
    parent: 0x2000000e,
    vnode: 3,
    partition: "/vicepa",
    programType: 0,
  })
  t.like(answer, { length: 64, response: OK, flags: 0x102 })
  t.deepEqual(answer?.payload, hex("01000000 03000000 01000000 00000000 00000000 00000000 00000000 00000000"))
})

test("OpenAFS's form: a volume is answered with the 384 bytes of its structure, in one write", async (t) => {
  const { path } = await serve(t, query)
  const peer = await connectOpenafs(t, path)
  peer.send(request({ volume: 0x2000000e }))
  const [answer] = await peer.answered(1)
  t.like(answer, { length: 416, response: OK, flags: 2 })
  t.deepEqual(peer.chunks, [416])
  const at = (offset: number): number => answer?.payload.readUInt32LE(offset) ?? -1
  t.deepEqual(
    [at(16), at(104), at(136), at(176), at(180), at(272), at(312), at(376)],
    [0x2000000e, 0x965, 1_795_256_297, 3, 0x5f, 2, 1_795_250_153, 1],
  )
  t.true(at(24) !== 0 && at(368) === 0, "a header, no operation")
})

const request = (fields: Partial<SyncRequest> = {}, sequence = 9): Buffer => {
  const full = sampleRequest(fields)
  const kind = fssyncProtocol.commands.get(full.command)?.openafs?.request
  return encodeRequest(kind, full, sequence)
}

test("OpenAFS's form: VOL_QUERY_VOP shows a checkout byte for byte as it was sent, also to us, and ours to OpenAFS's programs", async (t) => {
  let operation: SyncRequest | undefined
  const { path } = await serve(t, (asked) => {
    if (asked.command !== fssyncCommands.VOL_QUERY_VOP) operation = asked
    return asked.command === fssyncCommands.VOL_QUERY_VOP && operation !== undefined
      ? { ...okAnswer, payload: { request: operation, state: 3 } }
      : okAnswer
  })
  const [peer, ours] = [await connectOpenafs(t, path), await connectRaw(t, path)]
  const checkout = request({ command: fssyncCommands.VOL_OFF, thread: 0xdeadbeef, partition: "/vicepa" }, 77)
  checkout.fill(0xee, 52, 60) // what stands behind the NUL of the name
  peer.send(checkout)
  await peer.answered(1)
  const asking = { command: fssyncCommands.VOL_QUERY_VOP }
  peer.send(request(asking))
  const [, answer] = await peer.answered(2)
  t.deepEqual(answer?.payload.subarray(0, 60), checkout)
  t.is(answer?.payload.readUInt32LE(60), 3)
  ours.send(requestFrame({ ...asking, id: 5 }))
  t.like((await ours.answered(1))[0], { response: OK })

  ours.send(requestFrame({ id: 6, command: fssyncCommands.VOL_NEEDVOLUME, reason: 2, pid: 815, programType: 6 }))
  await ours.answered(2)
  peer.send(request(asking))
  const shown = (await peer.answered(3))[2]?.payload
  t.deepEqual(
    [0, 12, 16, 24, 28, 32].map((offset) => shown?.readUInt32LE(offset)),
    [3, 6, 815, 65539, 2, 60],
  )
})

test("OpenAFS's form: requests that come byte by byte or several at once are answered in order, each in a write of its own", async (t) => {
  const { path, seen } = await serve(t, ({ volume }) => {
    const answer = { response: FAILED, reason: volume }
    return volume % 2 === 0 ? answer : new Promise((resolve) => setImmediate(() => resolve(answer)))
  })
  const peer = await connectOpenafs(t, path)
  for (const byte of request({ volume: 1 })) {
    peer.send(Buffer.of(byte))
    await new Promise((resolve) => setImmediate(resolve))
  }
  await peer.answered(1)
  peer.send(Buffer.concat([2, 3, 4, 5].map((volume) => request({ volume }, volume))))
  const answers = await peer.answered(5)
  t.deepEqual(
    answers.map(({ reason }) => reason),
    [1, 2, 3, 4, 5],
  )
  t.deepEqual(
    answers.map(({ commandSequence }) => commandSequence),
    [9, 2, 3, 4, 5],
  )
  t.deepEqual(
    answers.map(({ answerSequence }) => answerSequence),
    [1, 2, 3, 4, 5],
  )
  t.is(seen.length, 5)
})

test("OpenAFS's form: one request of a connection is under way at a time; that its client has gone is seen meanwhile", async (t) => {
  const { path, seen, closed } = await serve(t, () => new Promise(() => undefined))
  const peer = await connectOpenafs(t, path)
  peer.send(Buffer.concat([request(), request()]))
  await until(() => seen.length === 1)
  peer.leave()
  await until(() => closed.length === 1)
  t.is(seen.length, 1)
})

interface Refusal {
  readonly what: string
  readonly bytes: Buffer
  /** Response, reason, sequence number and flags of the answer; none: the connection only ends. */
  readonly answer?: readonly [number, number, number, number]
  readonly goesOn?: boolean
}

const head = request().subarray(0, 40)
const withVersion = (version: number): Buffer => Buffer.concat([Buffer.of(version), request().subarray(1)])
const withLength = (bytes: Buffer, length: number): Buffer => {
  const copy = Buffer.from(bytes)
  copy.writeUInt32LE(length, 32)
  return copy
}
const unended = (fields: Partial<SyncRequest>): Buffer => {
  const bytes = request(fields)
  bytes.fill(0x41, bytes.length - 16)
  return bytes
}

const refusals: readonly Refusal[] = [
  { what: "less than a head", bytes: head.subarray(0, 20) },
  { what: "another version", bytes: withVersion(2), answer: [COM_ERROR, 0, 0, 3] },
  {
    what: "text",
    bytes: Buffer.from("GET / HTTP/1.1\r\nHost: localhost\r\nAccept: */*\r\n\r\n"),
    answer: [COM_ERROR, 0, 0, 3],
  },
  { what: "a head alone", bytes: withLength(head, 40), answer: [COM_ERROR, 1, 9, 3] },
  { what: "a head whose structure never comes", bytes: head, answer: [COM_ERROR, 1, 9, 3] },
  { what: "a structure too long", bytes: Buffer.concat([request(), Buffer.alloc(4)]), answer: [COM_ERROR, 1, 9, 3] },
  { what: "808 bytes", bytes: Buffer.concat([request(), Buffer.alloc(748, 0x41)]), answer: [COM_ERROR, 1, 9, 3] },
  { what: "a megabyte", bytes: Buffer.concat([request(), Buffer.alloc(1 << 20, 0x41)]), answer: [COM_ERROR, 1, 9, 3] },
  {
    what: "the structure of another command",
    bytes: withLength(
      Buffer.concat([request({ command: fssyncCommands.VG_ADD }).subarray(0, 40), Buffer.alloc(20)]),
      60,
    ),
    answer: [COM_ERROR, 1, 9, 3],
  },
  { what: "a wrong length in its head", bytes: withLength(request(), 4711), answer: [OK, 0, 9, 2], goesOn: true },
  { what: "an unknown command", bytes: request({ command: 65560 }), answer: [BAD_COMMAND, 0, 9, 2], goesOn: true },
  {
    what: "a command that only we have",
    bytes: request({ command: fssyncCommands.VOL_LIST }),
    answer: [BAD_COMMAND, 0, 9, 2],
    goesOn: true,
  },
  {
    what: "VOL_STATS_VLRU",
    bytes: request({ command: fssyncCommands.VOL_STATS_VLRU }),
    answer: [BAD_COMMAND, 0, 9, 2],
    goesOn: true,
  },
  { what: "a partition's name without an end", bytes: unended({}), answer: [FAILED, 1, 9, 2], goesOn: true },
  {
    what: "a name without an end where none is looked at",
    bytes: unended({ command: fssyncCommands.VOL_BREAKCBKS }),
    answer: [OK, 0, 9, 2],
    goesOn: true,
  },
  { what: "a farewell with more behind it", bytes: Buffer.concat([request({ command: 0 }), request()]) },
]

for (const { what, bytes, answer, goesOn = false } of refusals) {
  test(`OpenAFS's form: ${what} gets OpenAFS's answer, and others are served on`, async (t) => {
    const { path } = await serve(t, ({ command, volume }) =>
      command === fssyncCommands.VOL_QUERY ? { ...okAnswer, payload: sampleVolume(volume) } : okAnswer,
    )
    const [peer, witness] = [await connectOpenafs(t, path), await connectOpenafs(t, path)]
    peer.send(bytes)
    if (!goesOn) await peer.ended
    else await peer.answered(1)
    t.deepEqual(
      peer.answers.map(({ response, reason, commandSequence, flags }) => [response, reason, commandSequence, flags]),
      answer === undefined ? [] : [answer],
    )
    if (goesOn) {
      peer.send(request())
      t.is((await peer.answered(2))[1]?.length, 416)
    }
    witness.send(request())
    t.is((await witness.answered(1))[0]?.length, 416)
  })
}

const salvage = (fields: Partial<SyncRequest>): Buffer => encodeRequest("salvage", sampleRequest(fields), 9)
const zeros = Buffer.alloc(32)
const queues = hex("00000000 00000000 02000000 01000000 00000000 00000000 00000000 00000000")
const unendedSalvage = salvage({ command: 65537 })
unendedSalvage.fill(0x41, 56, 72)

const salvsyncRefusals: readonly (readonly [string, Buffer, readonly number[], Buffer])[] = [
  [
    "another version",
    Buffer.concat([Buffer.of(4), salvage({ command: 65537 }).subarray(1)]),
    [COM_ERROR, 0, 0, 3],
    zeros,
  ],
  ["a head alone", withLength(salvage({ command: 65537 }).subarray(0, 40), 40), [COM_ERROR, 1, 0, 3], zeros],
  [
    "an unknown command that is short",
    withLength(salvage({ command: 4711 }).subarray(0, 60), 60),
    [COM_ERROR, 1, 0, 3],
    zeros,
  ],
  ["an unknown command", salvage({ command: 4711 }), [BAD_COMMAND, 0, 9, 2], queues],
  ["a name without an end", unendedSalvage, [FAILED, 1, 9, 2], queues],
]

for (const [what, bytes, answer, payload] of salvsyncRefusals) {
  test(`OpenAFS's form of SALVSYNC: ${what} is refused in 64 bytes`, async (t) => {
    const { path } = await serve(t, fine, salvsyncProtocol)
    const peer = await connectOpenafs(t, path)
    peer.send(bytes)
    const [refusal] = await peer.answered(1)
    t.deepEqual([refusal?.response, refusal?.reason, refusal?.commandSequence, refusal?.flags], answer)
    t.deepEqual(refusal?.payload, payload)
  })
}

test("OpenAFS's form: what a handler made wrong is FAILED, as in our form", async (t) => {
  const { path } = await serve(t, () => ({ ...okAnswer, payload: { ...sampleVolume(1), nUsers: -1 } }))
  const peer = await connectOpenafs(t, path)
  peer.send(request())
  t.like((await peer.answered(1))[0], { response: FAILED, reason: 0, length: 32 })
})

test("OpenAFS's form: a denial carries its reason and nothing else; volume information is its bytes on disk", async (t) => {
  const info = newVolumeInfo({ id: 5, name: "root.cell" })
  const { path } = await serve(t, ({ volume }) =>
    volume === 1 ? { response: DENIED, reason: fssyncReasons.EXCLUSIVE } : { ...okAnswer, payload: info },
  )
  const peer = await connectOpenafs(t, path)
  peer.send(request({ command: fssyncCommands.VOL_OFF, volume: 1 }))
  peer.send(request({ command: fssyncCommands.VOL_QUERY_HDR, volume: 2 }))
  const [denial, header] = await peer.answered(2)
  t.like(denial, { response: DENIED, reason: 65540, length: 32 })
  t.is(header?.length, 584)
  t.is(header?.payload.subarray(12, 21).toString(), "root.cell")
})
