import { join } from "node:path"
import test, { type ExecutionContext } from "ava"
import { AfsError } from "../../common/error.ts"
import type { Code } from "../../common/protocol/codes.ts"
import { newVolumeInfo } from "../../common/volume/volume-info.ts"
import { reasonName, requireOk } from "../../fssync/answer-meaning.ts"
import { fssyncProtocol } from "../../fssync/command-table.ts"
import { FssyncClient } from "../../fssync/fssync-client.ts"
import { type FssyncCommand, fssyncCommands, fssyncReasons, responses, type SyncRequest } from "../../fssync/message.ts"
import { impatientRule } from "../../fssync/retry-rule.ts"
import { listenSync } from "../../fssync/server.ts"
import {
  okAnswer,
  sampleChain,
  sampleRequest,
  sampleRow,
  sampleStatistics,
  sampleVnode,
  sampleVolume,
} from "../support/sync-samples.ts"
import { temporaryDirectory } from "../support/temporary-directory.ts"

const quiet = { info: () => undefined, warn: () => undefined, error: () => undefined }
const partition = "/vicepb"

const vnode = sampleVnode(3, Buffer.alloc(64))
const general = sampleStatistics([1, 2], 0)
const chain = sampleChain(1, 0)
const status = { pid: 1, version: "x", startTime: 1, partitions: [], options: [] }

type Ask = (client: FssyncClient) => Promise<{ readonly response: number; readonly payload: unknown }>

/** Each method, the command and fields that it sends, and what the command returns. */
const methods: readonly (readonly [FssyncCommand, Ask, Partial<SyncRequest>, unknown?])[] = [
  ["VOL_ON", (c) => c.volumeOn(5, partition), { volume: 5, partition, reason: 0 }],
  ["VOL_OFF", (c) => c.volumeOff(5, partition), { volume: 5, partition, reason: fssyncReasons.WHATEVER }],
  ["VOL_OFF", (c) => c.volumeOff(5, partition, fssyncReasons.SALVAGE), { reason: fssyncReasons.SALVAGE }],
  ["VOL_NEEDVOLUME", (c) => c.needVolume(5, partition, "VOLUPD"), { volume: 5, partition, reason: 3 }],
  ["VOL_LEAVE_OFF", (c) => c.leaveOff(5, partition), { volume: 5, partition }],
  ["VOL_DONE", (c) => c.done(5, partition), { volume: 5, partition }],
  ["VOL_ATTACH", (c) => c.attach(5, partition), { volume: 5, partition }],
  ["VOL_MOVE", (c) => c.move(5, partition, 0xc0a80001), { volume: 5, partition, reason: 0xc0a80001 }],
  ["VOL_BREAKCBKS", (c) => c.breakCallbacks(5), { volume: 5, partition: "" }],
  [
    "VOL_FORCE_ERROR",
    (c) => c.forceError(5, partition, fssyncReasons.SALVAGE),
    { volume: 5, partition, reason: fssyncReasons.SALVAGE },
  ],
  ["VOL_LISTVOLUMES", (c) => c.list(), {}],
  ["VOL_QUERY", (c) => c.queryVolume(5, partition), { volume: 5, partition }, sampleVolume(5)],
  ["VOL_QUERY_HDR", (c) => c.queryHeader(5), { volume: 5, partition: "" }, newVolumeInfo({ id: 5 })],
  ["VOL_QUERY_VOP", (c) => c.queryVolumeOperation(5), { volume: 5 }, { request: sampleRequest(), state: 2 }],
  ["VOL_QUERY_VNODE", (c) => c.queryVnode(5, 3, 9), { volume: 5, vnode: 3, unique: 9 }, vnode],
  ["VG_QUERY", (c) => c.groupQuery(5, partition), { volume: 5, partition }, { parent: 5, members: [5] }],
  ["VG_ADD", (c) => c.groupAdd(5, 6, partition), { parent: 5, volume: 6, partition }],
  ["VG_DEL", (c) => c.groupDelete(0, 6, partition), { parent: 0, volume: 6, partition }],
  ["VG_SCAN", (c) => c.groupScan(partition), { partition }],
  ["VG_SCAN_ALL", (c) => c.groupScanAll(), {}],
  ["VOL_STATS_GENERAL", (c) => c.generalStats(), {}, general],
  [
    "VOL_STATS_VICEP",
    (c) => c.partitionStats(partition),
    { partition },
    { free: 1, totalUsable: 2, minFree: 0, f_files: 3, vol_list_len: 4 },
  ],
  ["VOL_STATS_HASH", (c) => c.hashStats(7), { volume: 7 }, chain],
  ["VOL_STATS_HDR", (c) => c.headerStats(), {}, { free: 1, used: 2, attached: 3 }],
  ["VOL_STATS_VLRU", (c) => c.vlruStats(2), { volume: 2 }, { idx: 2, lengths: [0, 0, 1, 0, 0], volumes: [5] }],
  ["VOL_GET", (c) => c.get(5), { volume: 5 }],
  ["VOL_PUT", (c) => c.put(5), { volume: 5 }],
  ["VOL_LIST", (c) => c.listVolumes(partition), { partition }, [sampleRow(5), sampleRow(6)]],
  ["SERVER_STATUS", (c) => c.status(), {}, status],
]

async function clientOf(t: ExecutionContext, answer: (request: SyncRequest) => unknown): Promise<FssyncClient> {
  const path = join(temporaryDirectory(t), "fssync.sock")
  const handle = (request: SyncRequest) => ({ ...okAnswer, payload: answer(request) })
  const server = await listenSync({ path, protocol: fssyncProtocol, handle, log: quiet })
  t.teardown(() => server.close())
  const client = new FssyncClient({ path, programType: "volumeServer", rule: impatientRule })
  t.teardown(() => client.close())
  return client
}

for (const [command, ask, fields, payload] of methods) {
  test(`fssync client: ${command} ${JSON.stringify(fields)} is sent as documented, and its answer understood`, async (t) => {
    let seen: SyncRequest | undefined
    const client = await clientOf(t, (request) => {
      seen = request
      return payload
    })
    const reply = await ask(client)
    t.like(seen, { command: fssyncCommands[command], programType: 6, pid: process.pid, thread: 0, ...fields })
    t.is(reply.response, responses.OK)
    t.deepEqual(reply.payload, payload)
  })
}

test("fssync client: every command has its method", (t) => {
  const covered = new Set(methods.map(([command]) => command))
  t.deepEqual([...covered].toSorted(), Object.keys(fssyncCommands).toSorted())
})

test("fssync client: reasons are named by FSSYNC's table, the common one, or the volume package's codes", (t) => {
  t.deepEqual([65541, 1, 103, 110, -100, 77].map(reasonName), [
    "UNKNOWN_VOLID",
    "MALFORMED_PACKET",
    "VNOVOL",
    "VBUSY",
    "VRESTARTING",
    "77",
  ])
})

const refusals: readonly (readonly [number, Code])[] = [
  [fssyncReasons.SALVAGE, "VSALVAGING"],
  [fssyncReasons.EXCLUSIVE, "VBUSY"],
  [fssyncReasons.UNKNOWN_VOLID, "VNOVOL"],
  [fssyncReasons.BAD_PART, "ENOENT"],
  [fssyncReasons.PART_SCANNING, "VBUSY"],
  [fssyncReasons.BAD_STATE, "DENIED"],
  [0, "DENIED"],
  [106, "VOFFLINE"],
  [103, "VNOVOL"],
]
for (const [reason, code] of refusals) {
  test(`fssync client: a refusal for ${reasonName(reason)} becomes ${code}, with both named`, (t) => {
    const reply = { response: responses.DENIED, reason, payload: undefined }
    const error = t.throws(() => requireOk(reply, "check out", { volume: 5, partition }), { instanceOf: AfsError })
    t.is(error.code, code)
    t.true(error.message.includes(`the fileserver answers DENIED ${reasonName(reason)}`), error.message)
    t.true(error.message.includes("volume 5 on /vicepb"))
  })
}

test("fssync client: an OK passes", (t) => {
  const reply = { response: responses.OK, reason: 65546, payload: 5 }
  t.is(requireOk(reply, "done"), reply)
})
