import test, { type ExecutionContext } from "ava"
import { AfsError, FormatError } from "../../common/error.ts"
import { fssyncProtocol, salvsyncProtocol } from "../../fssync/command-table.ts"
import { packFrame } from "../../fssync/frame.ts"
import { channelClose, fssyncCommands, responses, type SyncRequest } from "../../fssync/message.ts"
import { connectionId } from "../../fssync/message-codec.ts"
import { listenSync, type SyncChannel, type SyncHandler, type SyncServer } from "../../fssync/server.ts"
import { unsentBytesMax } from "../../fssync/server-channel.ts"
import { inFlightMax } from "../../fssync/server-form.ts"
import { connectRaw, fssyncMark, requestFrame, until } from "../support/raw-peer.ts"
import { okAnswer, sampleRow, sampleVnode, sampleVolume } from "../support/sync-samples.ts"
import { temporaryDirectory } from "../support/temporary-directory.ts"

const { VOL_QUERY, VOL_LISTVOLUMES, VOL_OFF, VOL_LIST, VOL_QUERY_VNODE } = fssyncCommands
const { OK, DENIED, COM_ERROR, BAD_COMMAND, FAILED } = responses

interface Line {
  readonly level: "info" | "warn" | "error"
  readonly facts: object
  readonly message: string
}

interface Running {
  readonly path: string
  readonly server: SyncServer
  readonly lines: readonly Line[]
  readonly closed: readonly SyncChannel[]
}

/** A server in this process, closed when the test ends. */
async function serve(t: ExecutionContext, handle: SyncHandler, protocol = fssyncProtocol): Promise<Running> {
  const path = `${temporaryDirectory(t)}/fssync.sock`
  const lines: Line[] = []
  const closed: SyncChannel[] = []
  const record = (level: Line["level"]) => (facts: object, message: string) =>
    void lines.push({ level, facts, message })
  const log = { info: record("info"), warn: record("warn"), error: record("error") }
  const server = await listenSync({ path, protocol, handle, log, onChannelClosed: (channel) => closed.push(channel) })
  t.teardown(() => server.close())
  return { path, server, lines, closed }
}

const query: SyncHandler = (request) => ({ ...okAnswer, payload: sampleVolume(request.volume, request.partition) })
const fine: SyncHandler = () => okAnswer

/** Promises that the test settles, by volume. */
function holding(): { handle: SyncHandler; held: Map<number, () => void>; seen: SyncRequest[] } {
  const held = new Map<number, () => void>()
  const seen: SyncRequest[] = []
  const handle: SyncHandler = (request) => {
    seen.push(request)
    if (request.command !== VOL_OFF) return okAnswer
    return new Promise((resolve) => held.set(request.volume, () => resolve(okAnswer)))
  }
  return { handle, held, seen }
}

test("server: a request reaches the handler as it was sent, and its answer comes back under its number", async (t) => {
  const seen: SyncRequest[] = []
  const { path } = await serve(t, (request, channel) => {
    seen.push(request)
    return query(request, channel)
  })
  const peer = await connectRaw(t, path)
  peer.send(
    requestFrame({ id: 77, command: VOL_QUERY, volume: 5, vnode: 6, unique: 7, parent: 8, reason: 9, thread: 10 }),
  )
  const [answer] = await peer.answered(1)
  t.like(seen[0], { command: VOL_QUERY, volume: 5, vnode: 6, unique: 7, parent: 8, reason: 9, thread: 10, pid: 4711 })
  t.like(answer, { id: 77, response: OK, reason: 0 })
  t.true(Array.isArray(answer?.payload))
})

test("server: a request that waits delays no other, on its connection or elsewhere", async (t) => {
  const { handle, held } = holding()
  const { path } = await serve(t, handle)
  const [slow, other] = [await connectRaw(t, path), await connectRaw(t, path)]
  slow.send(requestFrame({ id: 1, command: VOL_OFF, volume: 1 }))
  slow.send(requestFrame({ id: 2, command: VOL_LISTVOLUMES }))
  other.send(requestFrame({ id: 3, command: VOL_LISTVOLUMES }))
  t.deepEqual(
    (await slow.answered(1)).map(({ id }) => id),
    [2],
  )
  t.deepEqual(
    (await other.answered(1)).map(({ id }) => id),
    [3],
  )
  held.get(1)?.()
  t.deepEqual(
    (await slow.answered(2)).map(({ id }) => id),
    [2, 1],
  )
})

/** Works for so long without letting anything else happen, as an attach does. */
function busyFor(ms: number): void {
  const end = performance.now() + ms
  while (performance.now() < end);
}

/** One client that asked for 2,000 volumes in one write had the fileserver to itself until all of them were attached. */
test("server: a client that sends hundreds of slow requests at once takes turns with the others", async (t) => {
  let taken = 0
  const { path } = await serve(t, ({ command }) => {
    if (command === VOL_OFF) {
      taken++
      busyFor(1)
    }
    return okAnswer
  })
  const [greedy, other] = [await connectRaw(t, path), await connectRaw(t, path)]
  greedy.send(Buffer.concat(Array.from({ length: 500 }, (_, id) => requestFrame({ id, command: VOL_OFF }))))
  await until(() => taken > 0)
  other.send(requestFrame({ id: 1, command: VOL_LISTVOLUMES }))
  await other.answered(1)
  t.true(taken < 100, `${taken} requests of the first client came before one of the second`)
  const answers = await greedy.answered(500)
  t.deepEqual(
    answers.map(({ id }) => id),
    Array.from({ length: 500 }, (_, id) => id),
  )
})

test("server: requests that a client sent before it left are taken, also if their turn had not come", async (t) => {
  let taken = 0
  const { path, closed } = await serve(t, () => {
    taken++
    busyFor(1)
    return okAnswer
  })
  const peer = await connectRaw(t, path)
  peer.socket.end(Buffer.concat(Array.from({ length: 60 }, (_, id) => requestFrame({ id, command: VOL_OFF }))))
  await until(() => closed.length > 0)
  t.is(taken, 60)
  t.true(closed[0]?.closed.aborted)
})

test("server: requests in flight are answered in the order in which their handlers finish", async (t) => {
  const { handle, held } = holding()
  const { path } = await serve(t, handle)
  const peer = await connectRaw(t, path)
  const volumes = Array.from({ length: 100 }, (_, index) => index + 1)
  peer.send(Buffer.concat(volumes.map((volume) => requestFrame({ id: volume, command: VOL_OFF, volume }))))
  await until(() => held.size === 100)
  for (const volume of volumes.toReversed()) held.get(volume)?.()
  const answers = await peer.answered(100)
  t.deepEqual(
    answers.map(({ id }) => id),
    volumes.toReversed(),
  )
})

test("server: all answers of one turn leave in one write", async (t) => {
  const { path } = await serve(t, fine)
  const peer = await connectRaw(t, path)
  peer.send(
    Buffer.concat(Array.from({ length: 100 }, (_, index) => requestFrame({ id: index + 1, command: VOL_LISTVOLUMES }))),
  )
  const answers = await peer.answered(100)
  t.deepEqual(
    answers.map(({ id }) => id),
    Array.from({ length: 100 }, (_, index) => index + 1),
  )
  t.is(peer.chunks.length, 1)
})

test("server: answers of handlers that finish in one turn leave in one write, too", async (t) => {
  const { handle, held } = holding()
  const { path } = await serve(t, handle)
  const peer = await connectRaw(t, path)
  for (let volume = 1; volume <= 50; volume++) peer.send(requestFrame({ id: volume, command: VOL_OFF, volume }))
  await until(() => held.size === 50)
  for (const finish of held.values()) finish()
  await peer.answered(50)
  t.is(peer.chunks.length, 1)
})

// OpenAFS 1.8.9 serves four clients at a time; a fifth gets no answer until another has left.
for (const clients of [5, 50]) {
  test(`server: ${clients} clients are all answered, with none of them leaving`, async (t) => {
    const { path, server } = await serve(t, query)
    const peers = await Promise.all(Array.from({ length: clients }, () => connectRaw(t, path)))
    for (const [index, peer] of peers.entries()) peer.send(requestFrame({ id: index + 1, volume: index + 1 }))
    const answers = await Promise.all(peers.map((peer) => peer.answered(1)))
    t.deepEqual(
      answers.map(([answer]) => answer?.id),
      peers.map((_, index) => index + 1),
    )
    t.is(server.channelCount, clients)
  })
}

test("server: a request that comes byte by byte is one request", async (t) => {
  const { path } = await serve(t, query)
  const peer = await connectRaw(t, path)
  for (const byte of requestFrame({ id: 9 })) {
    peer.send(Buffer.of(byte))
    await new Promise((resolve) => setImmediate(resolve))
  }
  t.like((await peer.answered(1))[0], { id: 9, response: OK })
})

// OpenAFS 1.8.9 reads both as one message, finds its length wrong and hangs up.
test("server: two requests in one write, and one in two writes, are answered", async (t) => {
  const { path } = await serve(t, query)
  const peer = await connectRaw(t, path)
  const third = requestFrame({ id: 3 })
  peer.send(Buffer.concat([requestFrame({ id: 1 }), requestFrame({ id: 2 }), third.subarray(0, 20)]))
  await peer.answered(2)
  peer.send(third.subarray(20))
  t.deepEqual(
    (await peer.answered(3)).map(({ id }) => id),
    [1, 2, 3],
  )
})

test("server: an unknown command is told so, and the connection goes on", async (t) => {
  const { path } = await serve(t, query)
  const peer = await connectRaw(t, path)
  peer.send(requestFrame({ id: 1, command: 65560 }))
  peer.send(requestFrame({ id: 2, command: 1 }))
  peer.send(requestFrame({ id: 3 }))
  const answers = await peer.answered(3)
  t.deepEqual(
    answers.map(({ response }) => response),
    [BAD_COMMAND, BAD_COMMAND, OK],
  )
})

test("server: a partition name that cannot be one fails as malformed, before the handler sees it", async (t) => {
  const { path } = await serve(t, query)
  const peer = await connectRaw(t, path)
  peer.send(requestFrame({ id: 1, partition: "/vicep1234567890" }))
  peer.send(requestFrame({ id: 2, partition: "/vicepa\0" }))
  peer.send(requestFrame({ id: 3 }))
  const answers = await peer.answered(3)
  t.deepEqual(
    answers.map(({ response, reason }) => [response, reason]),
    [
      [FAILED, 1],
      [FAILED, 1],
      [OK, 0],
    ],
  )
})

const row: readonly unknown[] = [1, VOL_QUERY, 0, 5, 1, 0, 2, "/vicepa", 0, 0, 0]
const malformed: Readonly<Record<string, Buffer>> = {
  "another byte behind a frame": Buffer.concat([requestFrame({}).subarray(0, 4), Buffer.of(0, 0, 0, 1, 0xc1)]),
  "a frame too long": Buffer.concat([requestFrame({}).subarray(0, 4), Buffer.of(0, 0, 2, 0)]),
  "a frame of the other protocol": packFrame(0x53, row),
  "an empty frame": Buffer.concat([requestFrame({}).subarray(0, 4), Buffer.alloc(4)]),
  "no row": packFrame(fssyncMark, 5),
  "a short row": packFrame(fssyncMark, row.slice(0, 10)),
  "a long row": packFrame(fssyncMark, [...row, 0]),
  "a negative volume": packFrame(fssyncMark, row.with(6, -1)),
  "a number as partition": packFrame(fssyncMark, row.with(7, 1)),
  "an extension": packFrame(fssyncMark, [new Date(0)]),
  "a map": packFrame(fssyncMark, { command: VOL_QUERY }),
}

for (const [what, bytes] of Object.entries(malformed)) {
  test(`server: a client that sends ${what} is told so and hung up on, others are served on`, async (t) => {
    const { path, lines, closed } = await serve(t, query)
    const [bad, good] = [await connectRaw(t, path), await connectRaw(t, path)]
    bad.send(Buffer.concat([bytes, requestFrame({ id: 5 })]))
    await bad.ended
    t.deepEqual(bad.answers, [{ id: connectionId, response: COM_ERROR, reason: 1 }])
    good.send(requestFrame({ id: 6 }))
    t.like((await good.answered(1))[0], { id: 6, response: OK })
    t.is(lines.length, 1)
    t.like(lines[0], { level: "warn", message: "a client sent a malformed request: hung up" })
    t.is(closed.length, 1)
  })
}

test("server: requests before a malformed one are answered", async (t) => {
  const { path } = await serve(t, query)
  const peer = await connectRaw(t, path)
  peer.send(Buffer.concat([requestFrame({ id: 1 }), Buffer.from("nonsense")]))
  await peer.ended
  t.deepEqual(
    peer.answers.map(({ id, response }) => [id, response]),
    [
      [1, OK],
      [connectionId, COM_ERROR],
    ],
  )
})

test("server: a client of another version of the frames is told that it is no communication", async (t) => {
  const { path } = await serve(t, query)
  const peer = await connectRaw(t, path)
  const frame = Buffer.from(requestFrame({}))
  frame[1] = 2
  peer.send(frame)
  await peer.ended
  t.deepEqual(peer.answers, [{ id: connectionId, response: COM_ERROR, reason: 0 }])
})

// An FSSYNC VOL_OFF has the same number as a SALVSYNC SALVAGE.
test("server: a client of FSSYNC that opened the salvage server's socket salvages nothing", async (t) => {
  const { path } = await serve(t, () => t.fail("handled"), salvsyncProtocol)
  const peer = await connectRaw(t, path, salvsyncProtocol.mark)
  peer.send(requestFrame({ command: VOL_OFF }))
  await peer.ended
  t.like(peer.answers[0], { id: connectionId, response: COM_ERROR })
})

test("server: an AfsError is an answer with its number, however the handler throws it", async (t) => {
  const { path, lines } = await serve(t, (request) => {
    const error = new AfsError(
      request.volume === 3 ? "VRESTARTING" : request.volume === 4 ? "LOCKED" : "VNOVOL",
      "test",
    )
    if (request.volume === 1) throw error
    return Promise.reject(error)
  })
  const peer = await connectRaw(t, path)
  for (const volume of [1, 2, 3, 4]) peer.send(requestFrame({ id: volume, volume }))
  const answers = await peer.answered(4)
  t.deepEqual(
    answers.toSorted((a, b) => a.id - b.id).map(({ response, reason }) => [response, reason]),
    [
      [DENIED, 103],
      [DENIED, 103],
      [DENIED, -100],
      [DENIED, 0],
    ],
  )
  t.deepEqual(lines, [])
})

test("server: any other exception is FAILED and one line in the log, and the server goes on", async (t) => {
  const { path, lines } = await serve(t, (request, channel) => {
    if (request.volume === 1) throw new TypeError("a mistake")
    if (request.volume === 2) return Promise.reject(new FormatError("VolumeInfo", { path: "/x" }, "nonsense"))
    return query(request, channel)
  })
  const peer = await connectRaw(t, path)
  for (const volume of [1, 2, 3]) peer.send(requestFrame({ id: volume, volume }))
  const answers = await peer.answered(3)
  const responsesById = new Map(answers.map(({ id, response }) => [id, response]))
  t.deepEqual(
    [1, 2, 3].map((id) => responsesById.get(id)),
    [FAILED, FAILED, OK],
  )
  t.is(lines.length, 2)
  t.like(lines[0], { level: "error", facts: { command: "VOL_QUERY", pid: 4711 } })
})

test("server: an answer without what its command returns is FAILED, and the log names the field", async (t) => {
  const { path, lines } = await serve(t, (request) =>
    request.volume === 1 ? okAnswer : { ...okAnswer, payload: { ...sampleVolume(2), nUsers: -1 } },
  )
  const peer = await connectRaw(t, path)
  peer.send(Buffer.concat([requestFrame({ id: 1, volume: 1 }), requestFrame({ id: 2, volume: 2 })]))
  const answers = await peer.answered(2)
  t.deepEqual(answers, [
    { id: 1, response: FAILED, reason: 0 },
    { id: 2, response: FAILED, reason: 0 },
  ])
  t.deepEqual(
    lines.map(({ facts }) => "err" in facts && String(facts.err)),
    [
      "TypeError: Volume: found undefined, wanted an object",
      "TypeError: Volume.nUsers: found -1, wanted an integer from 0 to 4294967295",
    ],
  )
})

test("server: a refusal carries a payload only if the handler gave one", async (t) => {
  const refusal = { response: FAILED, reason: 65541 }
  const { path } = await serve(t, (request) =>
    request.volume === 1 ? refusal : { ...refusal, payload: sampleVolume(2) },
  )
  const peer = await connectRaw(t, path)
  peer.send(Buffer.concat([requestFrame({ id: 1, volume: 1 }), requestFrame({ id: 2, volume: 2 })]))
  const [bare, full] = await peer.answered(2)
  t.deepEqual(bare, { id: 1, ...refusal })
  t.true(Array.isArray(full?.payload))
})

test("server: an answer too long for a frame is FAILED PAYLOAD_TOO_BIG", async (t) => {
  const vnode = sampleVnode(1, Buffer.alloc((64 << 20) + 1))
  const { path } = await serve(t, () => ({ ...okAnswer, payload: vnode }))
  const peer = await connectRaw(t, path)
  peer.send(requestFrame({ id: 1, command: VOL_QUERY_VNODE }))
  t.deepEqual(await peer.answered(1), [{ id: 1, response: FAILED, reason: 4 }])
})

test("server: a list of 100,000 volumes is one answer", async (t) => {
  const rows = Array.from({ length: 100_000 }, (_, index) => sampleRow(536870912 + index))
  const { path } = await serve(t, () => ({ ...okAnswer, payload: rows }))
  const peer = await connectRaw(t, path)
  peer.send(requestFrame({ id: 1, command: VOL_LIST }))
  const [answer] = await peer.answered(1)
  t.true(Array.isArray(answer?.payload) && answer.payload.length === 100_000)
})

test("server: a client that does not read its answers is not read from, and others are", async (t) => {
  const rows = Array.from({ length: 2000 }, (_, index) => sampleRow(index))
  let handled = 0
  const { path } = await serve(t, (request) => {
    if (request.command !== VOL_LIST) return okAnswer
    handled++
    return { ...okAnswer, payload: rows }
  })
  const greedy = await connectRaw(t, path)
  greedy.socket.pause()
  const requests = Buffer.concat(
    Array.from({ length: 1000 }, (_, index) => requestFrame({ id: index + 1, command: VOL_LIST })),
  )
  greedy.send(requests)
  const other = await connectRaw(t, path)
  let answered = 0
  for (; answered < 200; answered++) {
    other.send(requestFrame({ id: answered + 1, command: VOL_LISTVOLUMES }))
    await other.answered(answered + 1)
  }
  const answerBytes = 2000 * 18
  // what the kernel holds for the two of them, what may wait unsent, and one answer
  t.true(handled * answerBytes < (1 << 20) + unsentBytesMax + answerBytes, `${handled} answers made`)
  const handledBefore = handled
  greedy.socket.resume()
  const answers = await greedy.answered(1000)
  t.deepEqual(
    answers.map(({ id }) => id),
    Array.from({ length: 1000 }, (_, index) => index + 1),
  )
  t.true(handledBefore < 1000)
})

test("server: a client may have so many requests waiting and no more; the next are taken as those end", async (t) => {
  const { handle, held, seen } = holding()
  const { path } = await serve(t, handle)
  const peer = await connectRaw(t, path)
  const total = inFlightMax + 500
  for (let volume = 1; volume <= total; volume++) peer.send(requestFrame({ id: volume, command: VOL_OFF, volume }))
  await until(() => held.size >= inFlightMax)
  const other = await connectRaw(t, path)
  other.send(requestFrame({ id: 1, command: VOL_LISTVOLUMES }))
  await other.answered(1)
  t.is(held.size, inFlightMax)
  for (let volume = 1; volume <= 10; volume++) held.get(volume)?.()
  await peer.answered(10)
  await until(() => held.size === inFlightMax + 10)
  await until(() => {
    for (const finish of held.values()) finish()
    return peer.answers.length === total
  })
  t.is(seen.length, total + 1)
})

for (const [how, leave] of [
  ["by CHANNEL_CLOSE", (peer) => peer.send(requestFrame({ command: channelClose }))],
  ["by the end of its stream", (peer) => void peer.socket.end()],
  ["without a word", (peer) => void peer.socket.destroy()],
] as const satisfies readonly (readonly [string, (peer: Awaited<ReturnType<typeof connectRaw>>) => void])[]) {
  test(`server: a client that leaves ${how} is let go once, with what it claimed to be`, async (t) => {
    const { handle, held } = holding()
    let channel: SyncChannel | undefined
    const { path, closed, server } = await serve(t, (request, from) => {
      channel = from
      return handle(request, from)
    })
    const peer = await connectRaw(t, path)
    peer.send(requestFrame({ id: 1, command: VOL_OFF, volume: 1, pid: 815 }))
    await until(() => held.size === 1)
    t.false(channel?.closed.aborted)
    leave(peer)
    await until(() => closed.length > 0)
    await until(() => server.channelCount === 0)
    t.is(closed.length, 1)
    t.is(closed[0], channel)
    t.is(channel?.pid, 815)
    t.true(channel?.closed.aborted)
    held.get(1)?.() // an answer for nobody harms nobody
    t.deepEqual(peer.answers, [])
    const next = await connectRaw(t, path)
    next.send(requestFrame({ id: 2, command: VOL_LISTVOLUMES }))
    await next.answered(1)
  })
}

test("server: answers before CHANNEL_CLOSE are still sent", async (t) => {
  const { path } = await serve(t, fine)
  const peer = await connectRaw(t, path)
  const frames = Array.from({ length: 50 }, (_, index) => requestFrame({ id: index + 1, command: VOL_LISTVOLUMES }))
  peer.send(Buffer.concat([...frames, requestFrame({ command: channelClose }), requestFrame({ id: 99 })]))
  await peer.ended
  t.is(peer.answers.length, 50)
})

test("server: channels have numbers of their own, and know the latest pid that was claimed on them", async (t) => {
  const seen: (readonly [number, number | undefined])[] = []
  const { path } = await serve(t, (_, channel) => {
    seen.push([channel.id, channel.pid])
    return okAnswer
  })
  const [first, second] = [await connectRaw(t, path), await connectRaw(t, path)]
  for (const [peer, pid] of [
    [first, 10],
    [second, 20],
    [first, 11],
  ] as const) {
    const before = peer.answers.length
    peer.send(requestFrame({ command: VOL_LISTVOLUMES, pid }))
    await peer.answered(before + 1)
  }
  t.deepEqual(
    seen.map(([, pid]) => pid),
    [10, 20, 11],
  )
  t.is(seen[0]?.[0], seen[2]?.[0])
  t.not(seen[0]?.[0], seen[1]?.[0])
})

test("server: closing it ends every client after the answers that are ready, and removes the socket", async (t) => {
  const { path, server, closed } = await serve(t, fine)
  const peers = await Promise.all(Array.from({ length: 5 }, () => connectRaw(t, path)))
  for (const peer of peers) peer.send(requestFrame({ command: VOL_LISTVOLUMES }))
  await Promise.all(peers.map((peer) => peer.answered(1)))
  await server.close()
  await Promise.all(peers.map((peer) => peer.ended))
  t.is(closed.length, 5)
  t.is(server.channelCount, 0)
  await t.throwsAsync(connectRaw(t, path), { code: "ENOENT" })
  await server.close()
})

test("server: a client that never reads does not keep a server from closing", async (t) => {
  const rows = Array.from({ length: 100_000 }, (_, index) => sampleRow(index))
  const { path, server, closed } = await serve(t, () => ({ ...okAnswer, payload: rows }))
  const greedy = await connectRaw(t, path)
  greedy.socket.pause()
  greedy.send(requestFrame({ command: VOL_LIST }))
  const other = await connectRaw(t, path)
  other.send(requestFrame({ command: VOL_LIST }))
  await other.answered(1)
  await server.close()
  t.is(closed.length, 2)
})
