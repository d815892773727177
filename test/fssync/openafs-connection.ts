/** Our clients at a server that understands OpenAFS's form only, as dafileserver does: one read is one request. */
import { createServer, type Socket } from "node:net"
import { join } from "node:path"
import test, { type ExecutionContext } from "ava"
import { FormatError } from "../../common/error.ts"
import { newVolumeInfo } from "../../common/volume/volume-info.ts"
import { type ClientForm, SyncClient } from "../../fssync/client.ts"
import {
  type CommandRow,
  fssyncProtocol,
  fssyncRows,
  salvsyncProtocol,
  salvsyncRows,
} from "../../fssync/command-table.ts"
import { fssyncCommands, responses, type SyncRequest } from "../../fssync/message.ts"
import { answerHeadLayout, requestHeadLayout } from "../../fssync/openafs-layouts.ts"
import { openafsPayloads } from "../../fssync/openafs-payload.ts"
import { encodeRequest, readRequest } from "../../fssync/openafs-request.ts"
import { impatientRule } from "../../fssync/retry-rule.ts"
import { listenSync } from "../../fssync/server.ts"
import { hex } from "../support/openafs-peer.ts"
import { okAnswer, sampleRequest, sampleVolume } from "../support/sync-samples.ts"
import { temporaryDirectory } from "../support/temporary-directory.ts"

const { OK, COM_ERROR, FAILED, DENIED } = responses
const sender = { programType: 6, pid: 4712, thread: 0 }

interface Peer {
  readonly path: string
  /** What one read gave, message by message. */
  readonly reads: Buffer[]
  connections: number
}

type Script = (request: Buffer, socket: Socket, peer: Peer) => void

function answerBytes(
  fields: Partial<Parameters<typeof answerHeadLayout.encode>[0]>,
  payload: Uint8Array = Buffer.alloc(0),
): Buffer {
  const blank = answerHeadLayout.read(new Uint8Array(32))
  const head = answerHeadLayout.encode({ ...blank, version: 3, flags: 2, length: 32 + payload.length, ...fields })
  return Buffer.concat([head, payload])
}

/** Refuses what is no request of version 3, as OpenAFS's servers do; hands everything else to the script. */
async function openafsServer(t: ExecutionContext, script: Script): Promise<Peer> {
  const peer: Peer = { path: join(temporaryDirectory(t), "test.sock"), reads: [], connections: 0 }
  const server = createServer((socket) => {
    peer.connections++
    socket.on("error", () => undefined)
    socket.on("data", (bytes: Buffer) => {
      peer.reads.push(bytes)
      if (bytes.length < requestHeadLayout.size) socket.destroy()
      else if (bytes.readUInt32LE(0) !== 3) socket.end(answerBytes({ response: COM_ERROR, flags: 3 }))
      else if (bytes.readUInt32LE(24) === 0) socket.end()
      else script(bytes, socket, peer)
    })
  })
  t.teardown(() => server.close())
  await new Promise<void>((resolve) => server.listen(peer.path, resolve))
  return peer
}

function clientOf(t: ExecutionContext, { path }: Pick<Peer, "path">, form: ClientForm = "detect"): SyncClient {
  const client = new SyncClient({ path, protocol: fssyncProtocol, sender, form, rule: impatientRule })
  t.teardown(() => client.close())
  return client
}

const readVolumeRequest = (bytes: Buffer) => readRequest("volume", bytes, 0)
const ok: Script = (_, socket) => void socket.write(answerBytes({ response: OK }))

test("client: that a server is OpenAFS's shows in its first answer; the request is done once, in its form", async (t) => {
  const seen: SyncRequest[] = []
  const peer = await openafsServer(t, (bytes, socket, server) => {
    seen.push(readVolumeRequest(bytes))
    ok(bytes, socket, server)
  })
  const client = clientOf(t, peer)
  t.is(client.form, "detect")
  // never sent twice: but OpenAFS's server did nothing of what it did not understand
  const reply = await client.call(fssyncRows.VOL_FORCE_ERROR, { volume: 5, partition: "/vicepa", reason: 65536 })
  t.deepEqual(reply, { response: OK, reason: 0, payload: undefined })
  t.is(client.form, "openafs")
  t.is(seen.length, 1)
  t.like(seen[0], {
    ...sender,
    command: fssyncCommands.VOL_FORCE_ERROR,
    volume: 5,
    partition: "/vicepa",
    reason: 65536,
  })
  t.true((peer.reads[0]?.length ?? 0) >= 40, "a shorter message would not have been answered")
  await client.call(fssyncRows.VOL_ON, { volume: 5, partition: "/vicepa" })
  t.is(peer.connections, 2)
})

test("client: told that a server is OpenAFS's, it begins in its form", async (t) => {
  const peer = await openafsServer(t, ok)
  await clientOf(t, peer, "openafs").call(fssyncRows.VOL_ON, { volume: 5, partition: "/vicepa" })
  t.is(peer.connections, 1)
  t.deepEqual(peer.reads[0], encodeRequest("volume", sampleRequest({ ...sender, command: 65536, volume: 5 }), 1))
})

test("client: told to speak our form only, it gives up at OpenAFS's server, and says why", async (t) => {
  const peer = await openafsServer(t, ok)
  await t.throwsAsync(clientOf(t, peer, "ours").call(fssyncRows.VOL_ON, { volume: 5 }), {
    code: "UNREACHABLE",
    message: /OpenAFS's form/,
  })
})

test("client: at OpenAFS's server requests wait for one another; each read is one request, each answer its own", async (t) => {
  let waiting = 0
  const peer = await openafsServer(t, (bytes, socket) => {
    waiting++
    setImmediate(() => {
      waiting--
      socket.write(answerBytes({ response: FAILED, reason: readVolumeRequest(bytes).volume }))
    })
    if (waiting > 1 || bytes.length !== 60) t.fail("two requests at once")
  })
  const client = clientOf(t, peer)
  const volumes = Array.from({ length: 50 }, (_, index) => index + 1)
  const replies = await Promise.all(
    volumes.map((volume) => client.call(fssyncRows.VOL_ON, { volume, partition: "/vicepa" })),
  )
  t.deepEqual(
    replies.map(({ reason }) => reason),
    volumes,
  )
})

test("client: a connection of OpenAFS's form that breaks is made anew, and what may be repeated is", async (t) => {
  const peer = await openafsServer(t, (bytes, socket, server) => {
    if (server.connections < 3) socket.destroy()
    else ok(bytes, socket, server)
  })
  const client = clientOf(t, peer, "openafs")
  const once = client.call(fssyncRows.VOL_FORCE_ERROR, { volume: 1, partition: "/vicepa" })
  const again = client.call(fssyncRows.VOL_ON, { volume: 1, partition: "/vicepa" })
  await t.throwsAsync(once, { code: "UNREACHABLE" })
  t.is((await again).response, OK)
})

test("client: COM_ERROR is asked again over another connection", async (t) => {
  const peer = await openafsServer(t, (bytes, socket, server) => {
    if (server.connections === 1) socket.end(answerBytes({ response: COM_ERROR, reason: 1, flags: 3 }))
    else ok(bytes, socket, server)
  })
  t.is((await clientOf(t, peer, "openafs").call(fssyncRows.VOL_ON, { volume: 1 })).response, OK)
})

test("client: a command that OpenAFS does not have is refused at once, others go on", async (t) => {
  const peer = await openafsServer(t, ok)
  const client = clientOf(t, peer)
  const list = client.call(fssyncRows.VOL_LIST)
  const on = client.call(fssyncRows.VOL_ON, { volume: 1 })
  await t.throwsAsync(list, { code: "DENIED", message: /OpenAFS's server .* has no command VOL_LIST/ })
  t.is((await on).response, OK)
})

test("client: a name or number that does not fit fails its own request only", async (t) => {
  const peer = await openafsServer(t, ok)
  const client = clientOf(t, peer, "openafs")
  await t.throwsAsync(client.call(fssyncRows.VOL_ON, { volume: -1 }), { instanceOf: TypeError })
  await t.throwsAsync(client.call(fssyncRows.VOL_ON, { partition: "/vicepabcdefghijkl" }), { instanceOf: TypeError })
  t.is((await client.call(fssyncRows.VOL_ON, { volume: 1 })).response, OK)
})

const nonsense: Readonly<Record<string, Buffer>> = {
  "another version": answerBytes({ version: 4 }),
  "an answer shorter than its head": answerBytes({ length: 31 }),
  "an answer that announces a gigabyte": answerBytes({ length: 1 << 30 }),
  "an answer to nothing": Buffer.concat([answerBytes({}), answerBytes({})]),
}
for (const [what, bytes] of Object.entries(nonsense)) {
  test(`client: ${what} counts as a broken connection`, async (t) => {
    const peer = await openafsServer(t, (asked, socket, server) => {
      if (server.connections === 1) socket.write(bytes)
      else ok(asked, socket, server)
    })
    const client = clientOf(t, peer, "openafs")
    const replies = [
      await client.call(fssyncRows.VOL_ON, { volume: 1 }),
      await client.call(fssyncRows.VOL_ON, { volume: 2 }),
    ]
    t.deepEqual(
      replies.map(({ response }) => response),
      [OK, OK],
    )
    t.is(client.connections, 2)
  })
}

test("client: a payload of a wrong length, or where none is expected, fails its request", async (t) => {
  const peer = await openafsServer(t, (_, socket) => void socket.write(answerBytes({}, Buffer.alloc(20))))
  const client = clientOf(t, peer, "openafs")
  await t.throwsAsync(client.call(fssyncRows.VOL_QUERY, { volume: 1 }), {
    instanceOf: FormatError,
    message: /Volume.*20 bytes.*384/,
  })
  await t.throwsAsync(client.call(fssyncRows.VOL_ON, { volume: 1 }), { instanceOf: FormatError })
})

test("client: an answer in many pieces is put together", async (t) => {
  const payload = Buffer.from(openafsPayloads.volume.write(sampleVolume(77)))
  const peer = await openafsServer(t, (_, socket) => {
    let chain = Promise.resolve()
    for (const byte of answerBytes({}, payload)) {
      chain = chain
        .then(() => void socket.write(Buffer.of(byte)))
        .then(() => new Promise((resolve) => setImmediate(resolve)))
    }
  })
  const { payload: volume } = await clientOf(t, peer, "openafs").call(fssyncRows.VOL_QUERY, { volume: 77 })
  t.deepEqual(volume, { ...sampleVolume(77), transitions: [] })
})

test("client: the answer of a request that timed out is not taken for another's", async (t) => {
  const held: (() => void)[] = []
  const peer = await openafsServer(t, (bytes, socket) => {
    const { volume: reason } = readVolumeRequest(bytes)
    held.push(() => socket.write(answerBytes({ response: FAILED, reason })))
    if (reason === 2) for (const answer of held) answer()
  })
  const client = new SyncClient({ path: peer.path, protocol: fssyncProtocol, sender, form: "openafs", timeoutMs: 500 })
  t.teardown(() => client.close())
  await t.throwsAsync(client.call(fssyncRows.VOL_ON, { volume: 1 }), { code: "TIMEDOUT" })
  const second = client.call(fssyncRows.VOL_ON, { volume: 2 })
  for (const answer of held.splice(0)) answer()
  t.is((await second).reason, 2)
})

test("client: the end of a connection is told as OpenAFS's programs tell it", async (t) => {
  const peer = await openafsServer(t, ok)
  const client = clientOf(t, peer, "openafs")
  await client.call(fssyncRows.VOL_ON, { volume: 1 })
  await client.close()
  for (let turn = 0; turn < 50 && peer.reads.length < 2; turn++) await new Promise((resolve) => setImmediate(resolve))
  const farewell = peer.reads[1]
  t.is(farewell?.length, 40)
  t.deepEqual(
    [0, 12, 24, 28, 32, 36].map((offset) => farewell?.readUInt32LE(offset)),
    [3, 0, 0, 0, 40, 3],
  )
})

test("client: SALVSYNC in OpenAFS's form names no program, and reads what is known of a volume", async (t) => {
  const payload = hex("02000000 05000000 01000000 02000000 00000000 00000000 00000000 00000000")
  const peer = await openafsServer(t, (_, socket) => {
    socket.write(answerBytes({ flags: 0x102 }, payload))
  })
  const client = new SyncClient({ path: peer.path, protocol: salvsyncProtocol, sender, form: "detect" })
  t.teardown(() => client.close())
  const reply = await client.call(salvsyncRows.SALVAGE, {
    volume: 5,
    parent: 5,
    partition: "/vicepa",
    vnode: 7,
    reason: 65538,
  })
  t.deepEqual(reply.payload, { known: true, state: 2, prio: 5, sq_len: 1, pq_len: 2 })
  const sent = peer.reads[1]
  t.is(sent?.length, 96)
  t.deepEqual(
    [12, 24, 28, 40, 44, 48, 52].map((offset) => sent?.readUInt32LE(offset)),
    [0, 65537, 65538, 3, 7, 5, 5],
  )
})

const payloads: readonly (readonly [CommandRow<unknown>, unknown])[] = [
  [fssyncRows.VOL_QUERY, { ...sampleVolume(5), transitions: [] }],
  [fssyncRows.VOL_QUERY_HDR, newVolumeInfo({ id: 5, name: "root.cell", offlineMessage: "gone fishing" })],
  [fssyncRows.VOL_QUERY_VOP, { request: sampleRequest({ command: 65537, reason: 65537 }), state: 3 }],
  [
    fssyncRows.VOL_QUERY_VNODE,
    {
      ...{ hashIndex: 3, vnodeNumber: 1, volume: 0, nUsers: 1, cacheCheck: 2 },
      ...{ Vn_state_flags: 5, Vn_state: 6, nReaders: 7, disk: new Uint8Array(256).fill(9) },
    },
  ],
  [
    fssyncRows.VOL_STATS_GENERAL,
    {
      state_levels: Array.from({ length: 24 }, (_, state) => state - 1),
      ...{ hash_looks: 2 ** 40, hash_reorders: 2 ** 33, salvages: 1, vol_ops: 2, hdr_loads: 3, hdr_gets: 4 },
      ...{ attaches: 5, soft_detaches: 6, hdr_cache_size: 400 },
    },
  ],
  [
    fssyncRows.VOL_STATS_VICEP,
    { free: 2 ** 41, totalUsable: 2 ** 42 + 1, minFree: 0, f_files: 2 ** 34, vol_list_len: 5 },
  ],
  [
    fssyncRows.VOL_STATS_HASH,
    {
      ...{ table_size: 1024, chain_len: 1, chain_cacheCheck: 2, chain_busy: 0 },
      ...{ chain_looks: 3, chain_gets: 4, chain_reorders: 5 },
    },
  ],
  [fssyncRows.VOL_STATS_HDR, { free: 2000, used: 1, attached: 2 }],
  [fssyncRows.VG_QUERY, { parent: 5, members: [5, 6, 7] }],
]

for (const [row, payload] of payloads) {
  test(`${row.name}: what our server answers in OpenAFS's form is what our client reads`, async (t) => {
    const path = join(temporaryDirectory(t), "test.sock")
    const log = { info: () => undefined, warn: () => undefined, error: () => undefined }
    // our own shape keeps no count below zero
    const made =
      row.name === "VOL_STATS_GENERAL" ? { ...Object(payload), state_levels: new Array(24).fill(7) } : payload
    const server = await listenSync({
      path,
      protocol: fssyncProtocol,
      handle: () => ({ ...okAnswer, payload: made }),
      log,
    })
    t.teardown(() => server.close())
    t.deepEqual((await clientOf(t, { path }, "openafs").call(row, { volume: 5 })).payload, made)
  })
}

test("payload: dafileserver counts below zero, and a group has holes", (t) => {
  const { generalStats, group } = openafsPayloads
  const bytes = Buffer.alloc(168)
  bytes.writeInt32LE(-6, 0)
  t.is(generalStats.read(bytes, 0).state_levels[0], -6)
  const members = Buffer.alloc(84)
  for (const [offset, id] of [
    [0, 5],
    [4, 5],
    [12, 7],
    [80, 9],
  ] as const)
    members.writeUInt32LE(id, offset)
  t.deepEqual(group.read(members, 0), { parent: 5, members: [5, 7, 9] })
})

test("client: DENIED without a payload is an answer", async (t) => {
  const peer = await openafsServer(
    t,
    (_, socket) => void socket.write(answerBytes({ response: DENIED, reason: 65540 })),
  )
  const reply = await clientOf(t, peer, "openafs").call(fssyncRows.VOL_QUERY, { volume: 1 })
  t.deepEqual(reply, { response: DENIED, reason: 65540, payload: undefined })
})
