import { createConnection, createServer, type Server, type Socket } from "node:net"
import { join } from "node:path"
import test, { type ExecutionContext } from "ava"
import { systemClock } from "../../common/clock.ts"
import { AfsError, FormatError } from "../../common/error.ts"
import { SyncClient, type SyncClientOptions } from "../../fssync/client.ts"
import { fssyncProtocol, fssyncRows } from "../../fssync/command-table.ts"
import { FrameReader, packFrame, requestBytesMax } from "../../fssync/frame.ts"
import { channelClose, fssyncCommands, responses, type SyncRequest } from "../../fssync/message.ts"
import { connectionId, decodeCall, encodeAnswer, type SyncCall } from "../../fssync/message-codec.ts"
import { impatientRule, patientRule } from "../../fssync/retry-rule.ts"
import { listenSync, type SyncHandler } from "../../fssync/server.ts"
import { type Waiting, waitNoticeMs } from "../../fssync/waiting.ts"
import { fssyncMark, until } from "../support/raw-peer.ts"
import { spawnSource } from "../support/spawned.ts"
import { okAnswer, sampleVolume } from "../support/sync-samples.ts"
import { temporaryDirectory } from "../support/temporary-directory.ts"
import { type VirtualClock, virtualClock } from "../support/virtual-clock.ts"

const { OK, DENIED, COM_ERROR, BAD_COMMAND, FAILED } = responses
const sender = { programType: 6, pid: 4712, thread: 3 }
const quiet = { info: () => undefined, warn: () => undefined, error: () => undefined }
const query: SyncHandler = (request) => ({ ...okAnswer, payload: sampleVolume(request.volume, request.partition) })

const socketIn = (t: ExecutionContext): string => join(temporaryDirectory(t), "fssync.sock")

function clientOf(t: ExecutionContext, path: string, options: Partial<SyncClientOptions> = {}): SyncClient {
  const client = new SyncClient({ path, protocol: fssyncProtocol, sender, ...options })
  t.teardown(() => client.close())
  return client
}

async function serve(t: ExecutionContext, path: string, handle: SyncHandler): Promise<{ close(): Promise<void> }> {
  const server = await listenSync({ path, protocol: fssyncProtocol, handle, log: quiet })
  t.teardown(() => server.close())
  return server
}

/** What a server of the test's own does with each request: answers through the socket, or not. */
type Script = (call: SyncCall, socket: Socket, connection: number) => void

/** A server that does exactly what the test says, bytes and all. */
async function script(t: ExecutionContext, path: string, onCall: Script): Promise<Server> {
  let connections = 0
  const server = createServer((socket) => {
    const connection = ++connections
    const reader = new FrameReader(fssyncMark, requestBytesMax)
    socket.on("error", () => undefined)
    socket.on("data", (chunk: Buffer) => {
      reader.push(chunk)
      for (let body = reader.next(); body !== undefined; body = reader.next())
        onCall(decodeCall(body), socket, connection)
    })
  })
  t.teardown(() => server.close())
  await new Promise<void>((resolve) => server.listen(path, resolve))
  return server
}

const answerOk = (call: SyncCall, socket: Socket): void =>
  void socket.write(encodeAnswer(fssyncMark, { id: call.id, response: OK, reason: 0 }))

test("client: connects on first use, keeps the connection, and says who asks", async (t) => {
  const path = socketIn(t)
  const seen: (readonly [number, SyncRequest])[] = []
  await serve(t, path, (request, channel) => {
    seen.push([channel.id, request])
    return query(request, channel)
  })
  const client = clientOf(t, path)
  t.is(client.connections, 0)
  for (const volume of [1, 2, 3]) {
    const reply = await client.call(fssyncRows.VOL_QUERY, { volume, partition: "/vicepb" })
    t.deepEqual(reply, { response: OK, reason: 0, payload: sampleVolume(volume, "/vicepb") })
  }
  t.is(client.connections, 1)
  t.is(new Set(seen.map(([channel]) => channel)).size, 1)
  t.like(seen[0]?.[1], { ...sender, command: fssyncCommands.VOL_QUERY, reason: 0, volume: 1, parent: 0, vnode: 0 })
})

test("client: requests pipelined in one turn each get their own answer", async (t) => {
  const path = socketIn(t)
  await serve(t, path, query)
  const client = clientOf(t, path)
  const volumes = Array.from({ length: 500 }, (_, index) => index + 1)
  const replies = await Promise.all(volumes.map((volume) => client.call(fssyncRows.VOL_QUERY, { volume })))
  t.deepEqual(
    replies.map(({ payload }) => payload?.hashid),
    volumes,
  )
  t.is(client.connections, 1)
})

test("client: answers out of order reach those who asked", async (t) => {
  const path = socketIn(t)
  const held: SyncCall[] = []
  await script(t, path, (call, socket) => {
    held.push(call)
    if (held.length < 5) return
    for (const { id, volume } of held.toReversed()) {
      socket.write(encodeAnswer(fssyncMark, { id, response: FAILED, reason: volume }))
    }
  })
  const client = clientOf(t, path)
  const replies = await Promise.all([1, 2, 3, 4, 5].map((volume) => client.call(fssyncRows.VOL_ON, { volume })))
  t.deepEqual(
    replies.map(({ reason }) => reason),
    [1, 2, 3, 4, 5],
  )
})

test("client: refusals are answers and are not sent again", async (t) => {
  const path = socketIn(t)
  let asked = 0
  await serve(t, path, (request) => {
    asked++
    return { response: request.volume, reason: 65540 }
  })
  const client = clientOf(t, path)
  for (const response of [DENIED, BAD_COMMAND, FAILED]) {
    t.deepEqual(await client.call(fssyncRows.VOL_OFF, { volume: response }), {
      response,
      reason: 65540,
      payload: undefined,
    })
  }
  t.is(asked, 3)
})

test("client: a command that the protocol does not have is not sent", async (t) => {
  const client = clientOf(t, socketIn(t))
  await t.throwsAsync(client.request({ command: 1 }), { code: "EINVAL", message: /FSSYNC has no command 1/ })
})

test("client: a field out of range fails its own request only", async (t) => {
  const path = socketIn(t)
  await serve(t, path, query)
  const client = clientOf(t, path)
  const good = client.call(fssyncRows.VOL_QUERY, { volume: 1 })
  await t.throwsAsync(client.call(fssyncRows.VOL_QUERY, { volume: -1 }), {
    instanceOf: TypeError,
    message: /request\.volume/,
  })
  t.is((await good).payload?.hashid, 1)
  await t.throwsAsync(client.call(fssyncRows.VOL_QUERY, { volume: 2 ** 32 }), { instanceOf: TypeError })
  t.is(client.connections, 1)
})

test("client: a payload that is not what the command returns fails its own request only", async (t) => {
  const path = socketIn(t)
  await script(t, path, (call, socket) => {
    const payload = call.volume === 1 ? [1, 2, 3] : [5, [5, 6]]
    socket.write(encodeAnswer(fssyncMark, { id: call.id, response: OK, reason: 0, payload }))
  })
  const client = clientOf(t, path)
  const bad = client.call(fssyncRows.VG_QUERY, { volume: 1 })
  const good = client.call(fssyncRows.VG_QUERY, { volume: 5 })
  await t.throwsAsync(bad, { instanceOf: FormatError, message: /VG_QUERY: found array of 3/ })
  t.deepEqual((await good).payload, { parent: 5, members: [5, 6] })
  t.is(client.connections, 1)
})

/** A server in another process, so that it can be killed. */
async function spawnServer(t: ExecutionContext, path: string) {
  const server = spawnSource(t, "test/fssync/sync-server.program.ts", [path])
  await server.line(/^listening$/)
  return server
}

test("client: comes back after the server was killed and restarted, with the requests that were under way", async (t) => {
  const path = socketIn(t)
  const first = await spawnServer(t, path)
  const client = clientOf(t, path, { rule: { ...patientRule, connectPauses: Array.from({ length: 200 }, () => 0.05) } })
  await client.call(fssyncRows.VOL_QUERY, { volume: 1 })
  first.signal("SIGSTOP")
  const underWay = [1, 2, 3].map((volume) => client.call(fssyncRows.VOL_QUERY, { volume }))
  const forced = client.call(fssyncRows.VOL_FORCE_ERROR, { volume: 9 })
  await new Promise((resolve) => setImmediate(resolve))
  const killed = first.stop("SIGKILL")
  const error = await t.throwsAsync(forced, { code: "UNREACHABLE", message: /whether it was done is not known/ })
  t.true(error instanceof AfsError)
  await killed
  const second = await spawnServer(t, path)
  const replies = await Promise.all(underWay)
  t.deepEqual(
    replies.map(({ payload }) => payload?.hashid),
    [1, 2, 3],
  )
  t.is(client.connections, 2)
  t.false(second.stdout().includes("error 9"))
  await client.close()
  await second.line(new RegExp(`^gone ${sender.pid}$`))
})

/** A client of a fileserver that dies of every request, and what it was asked. */
async function ofDyingFileserver(t: ExecutionContext): Promise<{ client: SyncClient; asked: unknown[] }> {
  const path = socketIn(t)
  const asked: unknown[] = []
  await script(t, path, (request, socket) => {
    asked.push(request)
    socket.destroy()
  })
  return { client: clientOf(t, path), asked }
}

// A fileserver that dies at every VOL_OFF must not be asked for ever.
test("client: a request whose connection always breaks is sent six times", async (t) => {
  const { client, asked } = await ofDyingFileserver(t)
  await t.throwsAsync(client.call(fssyncRows.VOL_OFF, { volume: 1 }), { code: "UNREACHABLE", message: /broke 6 times/ })
  t.is(asked.length, 6)
})

test("client: a request that may not be repeated is sent once", async (t) => {
  const { client, asked } = await ofDyingFileserver(t)
  for (const row of [fssyncRows.VOL_FORCE_ERROR, fssyncRows.VOL_PUT]) {
    asked.length = 0
    await t.throwsAsync(client.call(row, { volume: 1 }), { code: "UNREACHABLE", message: /is not known/ })
    t.is(asked.length, 1)
  }
})

test("client: COM_ERROR, to a request or to the connection, is a broken connection", async (t) => {
  const path = socketIn(t)
  const connections: number[] = []
  await script(t, path, (call, socket, connection) => {
    connections.push(connection)
    if (connection === 3) answerOk(call, socket)
    else
      socket.write(
        encodeAnswer(fssyncMark, { id: connection === 1 ? call.id : connectionId, response: COM_ERROR, reason: 1 }),
      )
  })
  const client = clientOf(t, path)
  t.is((await client.call(fssyncRows.VOL_ON, { volume: 1 })).response, OK)
  t.deepEqual(connections, [1, 2, 3])
})

for (const [what, bytes] of [
  ["nonsense", Buffer.from("HTTP/1.1 400 Bad Request\r\n\r\n")],
  ["an answer that is none", packFrame(fssyncMark, [1, 0, 0])],
] as const) {
  test(`client: a server that sends ${what} counts as broken`, async (t) => {
    const path = socketIn(t)
    await script(t, path, (call, socket, connection) => {
      if (connection < 3) socket.write(bytes)
      else answerOk(call, socket)
    })
    const client = clientOf(t, path)
    t.is((await client.call(fssyncRows.VOL_ON, { volume: 1 })).response, OK)
    t.is(client.connections, 3)
  })
}

test("client: after 120 seconds a request is not sent again", async (t) => {
  const path = socketIn(t)
  const clock = virtualClock()
  let asked = 0
  await script(t, path, (_, socket) => {
    asked++
    clock.advance(60_000)
    socket.destroy()
  })
  const client = clientOf(t, path, { clock })
  await t.throwsAsync(client.call(fssyncRows.VOL_ON, { volume: 1 }), {
    code: "UNREACHABLE",
    message: /again and again/,
  })
  t.is(asked, 2)
})

/** Lets every pause pass as soon as it begins, until `over`; tells how long they were. */
async function passPauses(clock: VirtualClock, over: () => boolean): Promise<number[]> {
  const pauses: number[] = []
  while (!over()) {
    const pause = clock.untilNext
    if (pause !== undefined) {
      pauses.push(pause / 1000)
      clock.advanceToNext()
    }
    await new Promise((resolve) => setImmediate(resolve))
  }
  return pauses
}

test("client: waits for an absent server in the steps of the rule, then gives up", async (t) => {
  const clock = virtualClock()
  const client = clientOf(t, socketIn(t), { clock })
  let over = false
  const failures: unknown[] = []
  const requests = [1, 2].map((volume) =>
    client.call(fssyncRows.VOL_QUERY, { volume }).catch((error) => failures.push(error)),
  )
  void Promise.all(requests).then(() => {
    over = true
  })
  t.deepEqual(await passPauses(clock, () => over), patientRule.connectPauses)
  t.is(failures.length, 2)
  t.like(failures[0], { code: "UNREACHABLE" })
  t.regex(String(failures[0]), /ENOENT/)
})

test("client: a server that appears while the client waits is asked at the next step", async (t) => {
  const path = socketIn(t)
  const clock = virtualClock()
  const client = clientOf(t, path, { clock })
  const reply = client.call(fssyncRows.VOL_QUERY, { volume: 7 })
  await until(() => clock.pending > 0)
  await serve(t, path, query)
  clock.advance(3000)
  t.is((await reply).payload?.hashid, 7)
})

test("client: a command's client gives up at once when nobody is there, and can ask again later", async (t) => {
  const path = socketIn(t)
  const client = clientOf(t, path, { rule: impatientRule })
  await t.throwsAsync(client.call(fssyncRows.VOL_QUERY), { code: "UNREACHABLE", message: /ENOENT/ })
  const server = await spawnServer(t, path)
  t.is((await client.call(fssyncRows.VOL_QUERY, { volume: 3 })).payload?.hashid, 3)
  await server.stop("SIGKILL")
  await t.throwsAsync(client.call(fssyncRows.VOL_QUERY, { volume: 3 }), {
    code: "UNREACHABLE",
    message: /ECONNREFUSED/,
  })
})

/** Connects until the server's queue of new clients is full. */
async function fillQueue(t: ExecutionContext, path: string): Promise<void> {
  for (let full = false; !full; ) {
    const socket = createConnection({ path })
    t.teardown(() => socket.destroy())
    full = await new Promise((resolve, reject) => {
      socket.once("connect", () => resolve(false))
      socket.once("error", (error: NodeJS.ErrnoException) => (error.code === "EAGAIN" ? resolve(true) : reject(error)))
    })
  }
}

// A server that has not got round to new clients is there all the same: a command must not call it absent.
test("client: a full queue of new clients is waited for, even by a command", async (t) => {
  const path = socketIn(t)
  const server = await spawnServer(t, path)
  server.signal("SIGSTOP")
  await fillQueue(t, path)
  const pauses: number[] = []
  const after = (ms: number, action: () => void) => {
    pauses.push(ms)
    return systemClock.after(ms, action)
  }
  const client = clientOf(t, path, { rule: impatientRule, clock: { ...systemClock, after } })
  const reply = client.call(fssyncRows.VOL_QUERY, { volume: 8 })
  await until(() => pauses.length > 0)
  server.signal("SIGCONT")
  t.is((await reply).payload?.hashid, 8)
  t.deepEqual(new Set(pauses), new Set([20]))
})

test("client: an answer that does not come in time fails its request; when it comes late, nobody gets it", async (t) => {
  const path = socketIn(t)
  const clock = virtualClock()
  const late: (() => void)[] = []
  await script(t, path, (call, socket) => {
    if (call.volume === 1) late.push(() => answerOk(call, socket))
    else answerOk(call, socket)
  })
  const client = clientOf(t, path, { clock, timeoutMs: 5000 })
  const slow = client.call(fssyncRows.VOL_OFF, { volume: 1 })
  await until(() => late.length > 0)
  clock.advance(5000)
  await t.throwsAsync(slow, { code: "TIMEDOUT", message: /did not answer within 5 s/ })
  late[0]?.()
  t.is((await client.call(fssyncRows.VOL_ON, { volume: 2 })).response, OK)
  t.is(client.connections, 1)
  t.is(clock.pending, 0)
})

test("client: a request that times out while nobody is there leaves no timer behind", async (t) => {
  const clock = virtualClock()
  const client = clientOf(t, socketIn(t), { clock, timeoutMs: 1000 })
  const reply = client.call(fssyncRows.VOL_QUERY)
  await until(() => clock.pending === 2)
  clock.advance(1000)
  await t.throwsAsync(reply, { code: "UNREACHABLE" })
  t.is(clock.pending, 0)
})

test("client: closing says so to the server, fails what is under way, and takes nothing more", async (t) => {
  const path = socketIn(t)
  const commands: number[] = []
  const server = await script(t, path, (call) => commands.push(call.command))
  const client = clientOf(t, path)
  const underWay = client.call(fssyncRows.VOL_OFF, { volume: 1 })
  await until(() => commands.length === 1)
  const closed = client.close()
  await t.throwsAsync(underWay, { code: "INTERRUPTED" })
  await closed
  await until(() => commands.length === 2)
  t.deepEqual(commands, [fssyncCommands.VOL_OFF, channelClose])
  await t.throwsAsync(client.call(fssyncRows.VOL_ON), { code: "INTERRUPTED" })
  await client.close()
  await new Promise((resolve) => server.close(resolve))
})

test("client: closing ends the wait for an absent server", async (t) => {
  const clock = virtualClock()
  const client = clientOf(t, socketIn(t), { clock })
  const reply = client.call(fssyncRows.VOL_QUERY)
  await until(() => clock.pending > 0)
  await client.close()
  await t.throwsAsync(reply, { code: "INTERRUPTED" })
  t.is(clock.pending, 0)
})

test("client: closing does not wait for a server that is stopped", async (t) => {
  const path = socketIn(t)
  const server = await spawnServer(t, path)
  const client = clientOf(t, path)
  await client.call(fssyncRows.VOL_QUERY)
  server.signal("SIGSTOP")
  const underWay = client.call(fssyncRows.VOL_QUERY)
  await Promise.all([client.close(), t.throwsAsync(underWay, { code: "INTERRUPTED" })])
  server.signal("SIGCONT")
  await server.line(new RegExp(`^gone ${sender.pid}$`))
})

test("client: many clients of one process and one client of many requests wait for each other's answers only", async (t) => {
  const path = socketIn(t)
  await serve(t, path, (request, channel) =>
    request.volume === 0 ? new Promise(() => undefined) : query(request, channel),
  )
  const clients = Array.from({ length: 20 }, () => clientOf(t, path))
  const stuck = clients.map((client) => client.call(fssyncRows.VOL_QUERY, { volume: 0 }).catch((error) => error.code))
  const replies = await Promise.all(
    clients.flatMap((client) => [1, 2, 3].map((volume) => client.call(fssyncRows.VOL_QUERY, { volume }))),
  )
  t.is(replies.length, 60)
  await Promise.all(clients.map((client) => client.close()))
  t.deepEqual(new Set(await Promise.all(stuck)), new Set(["INTERRUPTED"]))
})

test("client: a request without an answer is told of after three seconds, once, and goes on waiting", async (t) => {
  const path = socketIn(t)
  const clock = virtualClock()
  const late: (() => void)[] = []
  await script(t, path, (call, socket) => void late.push(() => answerOk(call, socket)))
  const told: Waiting[] = []
  const client = clientOf(t, path, { clock, onWait: (waiting) => void told.push(waiting) })
  const slow = client.call(fssyncRows.VOL_OFF, { volume: 1 })
  await until(() => late.length > 0)
  clock.advance(waitNoticeMs - 1)
  t.deepEqual(told, [])
  clock.advance(1)
  clock.advance(60_000)
  t.deepEqual(told, [{ path, request: "VOL_OFF" }])
  late[0]?.()
  t.is((await slow).response, OK)
  t.is(clock.pending, 0)
})
