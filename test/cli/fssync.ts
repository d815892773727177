import { join } from "node:path"
import test, { type ExecutionContext } from "ava"
import { fssyncCommand } from "../../cli/fssync.ts"
import { newVnodeRecord, vnodeRecordLayout } from "../../common/vnode/vnode-record.ts"
import { newVolumeInfo } from "../../common/volume/volume-info.ts"
import { fssyncProtocol } from "../../fssync/command-table.ts"
import {
  fssyncCommands,
  fssyncReasons,
  nameIn,
  responses,
  type SyncAnswer,
  type SyncRequest,
} from "../../fssync/message.ts"
import { listenSync } from "../../fssync/server.ts"
import { runInProcess } from "../support/in-process-cli.ts"
import { runDafs, spawnDafs } from "../support/spawned.ts"
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

const disk = Buffer.alloc(64)
vnodeRecordLayout.write(newVnodeRecord("small", { type: 1, lengthLow: 77 }), disk)
const payloads: Readonly<Record<number, unknown>> = {
  [fssyncCommands.VOL_QUERY]: sampleVolume(5),
  [fssyncCommands.VOL_QUERY_HDR]: newVolumeInfo({
    id: 5,
    name: "root\u001b.cell",
    inUse: 1,
    creationDate: 1_795_250_153,
  }),
  [fssyncCommands.VOL_QUERY_VOP]: {
    request: sampleRequest({ command: fssyncCommands.VOL_NEEDVOLUME, reason: 2, programType: 6 }),
    state: 3,
  },
  [fssyncCommands.VOL_QUERY_VNODE]: sampleVnode(2, disk),
  [fssyncCommands.VOL_STATS_GENERAL]: sampleStatistics([0, 4, 0, 9], 5),
  [fssyncCommands.VOL_STATS_VICEP]: { free: 10, totalUsable: 20, minFree: 1, f_files: 5, vol_list_len: 3 },
  [fssyncCommands.VOL_STATS_HASH]: sampleChain(1024, 1),
  [fssyncCommands.VOL_STATS_HDR]: { free: 1, used: 2, attached: 3 },
  [fssyncCommands.VOL_STATS_VLRU]: { idx: 3, lengths: [2, 0, 0, 1, 0], volumes: [5] },
  [fssyncCommands.VG_QUERY]: { parent: 5, members: [5, 6] },
  [fssyncCommands.VOL_LIST]: [sampleRow(5), sampleRow(6)],
  [fssyncCommands.SERVER_STATUS]: {
    pid: 99,
    version: "0.1.0",
    startTime: 1_795_250_153,
    partitions: [{ name: "/vicepa", path: "/srv/vicepa", volumes: 3 }],
    options: [{ name: "vlrumax", value: "8" }],
  },
}

interface Staged {
  readonly state: string
  readonly seen: SyncRequest[]
  answer: (request: SyncRequest) => SyncAnswer
}

/** A fileserver that answers what the test says, and records what it was asked. */
async function stage(t: ExecutionContext): Promise<Staged> {
  const state = temporaryDirectory(t)
  const staged: Staged = { state, seen: [], answer: ({ command }) => ({ ...okAnswer, payload: payloads[command] }) }
  const handle = (request: SyncRequest): SyncAnswer => {
    staged.seen.push(request)
    return staged.answer(request)
  }
  const server = await listenSync({ path: join(state, "fssync.sock"), protocol: fssyncProtocol, handle, log: quiet })
  t.teardown(() => server.close())
  return staged
}

const run = (state: string, ...words: string[]): Promise<string> =>
  runInProcess(fssyncCommand, ["fssync", ...words, "--state-dir", state])

/** Words of the command line; what they ask; what of the answer is shown. */
const commands: readonly (readonly [string, Partial<SyncRequest>, RegExp])[] = [
  [
    "online --volumeid 5 --partition a",
    { command: 65536, volume: 5, partition: "/vicepa" },
    /^volume 5 on \/vicepa: VOL_ON OK\n$/,
  ],
  [
    "offline --volumeid 5",
    { command: 65537, volume: 5, partition: "", reason: 65536, programType: 5 },
    /^volume 5: VOL_OFF OK\n$/,
  ],
  ["offline --volumeid 5 --reason salvage --programtype salvager", { reason: 65537, programType: 3 }, /OK/],
  ["offline --volumeid 5 --reason 65539 --programtype 9", { reason: 65539, programType: 9 }, /OK/],
  ["mode --volumeid 5 --mode V_CLONE", { command: 65539, reason: 2 }, /VOL_NEEDVOLUME OK/],
  ["needvolume --volumeid 5 --mode readonly", { command: 65539, reason: 1 }, /OK/],
  ["mode --volumeid 5 --mode 4", { command: 65539, reason: 4 }, /OK/],
  ["detach --volumeid 5 --partition /vicepb", { command: 65542, partition: "/vicepb" }, /VOL_DONE OK/],
  ["detach --volumeid 5 --partition run/vicepb", { command: 65542, partition: "/vicepb" }, /VOL_DONE OK/],
  ["detach --volumeid 5 --partition /srv/afs/vicepb/", { command: 65542, partition: "/vicepb" }, /VOL_DONE OK/],
  ["callback --volumeid 5", { command: 65541, volume: 5 }, /VOL_BREAKCBKS OK/],
  ["cbk --volumeid 5", { command: 65541 }, /OK/],
  ["move --volumeid 5 --address 192.168.0.1", { command: 65540, reason: 0xc0a80001 }, /VOL_MOVE OK/],
  ["list", { command: 65538, volume: 0, partition: "" }, /^VOL_LISTVOLUMES OK\n$/],
  ["leaveoff --volumeid 5", { command: 65553 }, /VOL_LEAVE_OFF OK/],
  ["error --volumeid 5 --partition a --reason SALVAGE", { command: 65552, reason: 65537 }, /VOL_FORCE_ERROR OK/],
  ["query --volumeid 5", { command: 65543 }, /^attach_state +3 \(ATTACHED\)$/m],
  ["qry --volumeid 4294967295", { volume: 4294967295 }, /^stats\.last_attach +1795250153 \(2026-11-21T\S+Z\)$/m],
  [
    "query --volumeid 5",
    {},
    /^attach_flags +95 \(VOL_HDR_ATTACHED VOL_HDR_LOADED VOL_HDR_IN_LRU VOL_IN_HASH VOL_ON_VBYP_LIST VOL_ON_VLRU\)$/m,
  ],
  ["query --volumeid 5", {}, /^transitions\.1\.to +3 \(ATTACHED\)$/m],
  ["header --volumeid 5", { command: 65544 }, /^name +root\\x1b\.cell$/m],
  ["hdr --volumeid 5", {}, /^inUse +1 \(fileServer\)$/m],
  ["volop --volumeid 5", { command: 65545 }, /^request\.reason +2 \(CLONE\)$/m],
  ["vop --volumeid 5", {}, /^state +3 \(runningOffline\)$/m],
  ["vnode --volumeid 5 --vnodeid 2 --unique 7", { command: 65554, vnode: 2, unique: 7 }, /^record\.lengthLow +77$/m],
  ["stats pkg", { command: 65546 }, /^state_levels\.PREATTACHED +4\nstate_levels\.ATTACHED +9$/m],
  ["stats general", { command: 65546 }, /^hash_looks +5$/m],
  ["stats vicep --partition b", { command: 65547, partition: "/vicepb" }, /^vol_list_len +3$/m],
  ["stats hash --bucket 7", { command: 65548, volume: 7 }, /^table_size +1024$/m],
  ["stats hdr", { command: 65549 }, /^attached +3$/m],
  [
    "stats vlru --generation candidate",
    { command: 65550, volume: 3 },
    /^idx +3 \(candidate\)\nlengths\.new +2\nlengths\.candidate +1\nvolumes +5$/m,
  ],
  ["vgcquery --volumeid 5 --partition a", { command: 65555 }, /^parent +5\nmembers +5 6\n$/],
  [
    "vgcadd --parent 5 --child 6 --partition a",
    { command: 65556, parent: 5, volume: 6 },
    /^volume 6 on \/vicepa: VG_ADD OK\n$/,
  ],
  ["vgcdel --child 6 --partition a", { command: 65557, parent: 0, volume: 6 }, /VG_DEL OK/],
  ["vgcscan --partition a", { command: 65558, partition: "/vicepa" }, /^on \/vicepa: VG_SCAN OK\n$/],
  ["vgcscanall", { command: 65559 }, /VG_SCAN_ALL OK/],
  ["get --volumeid 5", { command: fssyncCommands.VOL_PUT, volume: 5 }, /^volume 5: VOL_GET OK\n$/],
  [
    "listvolumes",
    { command: fssyncCommands.VOL_LIST, partition: "" },
    /^ +5 +\/vicepa +ATTACHED +0 +volumeServer \(pid 4711\), CLONE$/m,
  ],
  [
    "listvolumes --partition a",
    { partition: "/vicepa" },
    /^VOLUME +PARTITION +STATE +USERS +CLIENTS GET +CHECKED OUT BY$/m,
  ],
  ["status", { command: fssyncCommands.SERVER_STATUS }, /^partitions\.\/vicepa\.path +\/srv\/vicepa$/m],
  ["status", {}, /^options\.vlrumax +8$/m],
]

for (const [words, request, shown] of commands) {
  test.serial(
    `dafs fssync ${words}: asks for ${nameIn(fssyncCommands, request.command ?? 0)} and shows ${shown.source}`,
    async (t) => {
      const { state, seen } = await stage(t)
      t.regex(await run(state, ...words.split(" ")), shown)
      t.like(seen.at(-1), { pid: process.pid, ...request })
    },
  )
}

const documents: readonly (readonly [string, object])[] = [
  [
    "online --volumeid 5 --partition a",
    { type: "fssync", command: "VOL_ON", volume: 5, partition: "/vicepa", response: "OK", reason: "NONE" },
  ],
  [
    "query --volumeid 5",
    {
      command: "VOL_QUERY",
      payload: { hashid: 5, attach_state: 3 },
      names: { attach_state: "ATTACHED", "vlru.idx": "new" },
    },
  ],
  [
    "volop --volumeid 5",
    { payload: { state: 3 }, names: { "request.reason": "CLONE", "request.programType": "volumeServer" } },
  ],
  [
    "vnode --volumeid 5 --vnodeid 2",
    { payload: { disk: disk.toString("hex"), record: { lengthLow: 77 } }, names: { "record.type": "file" } },
  ],
  ["vgcadd --parent 5 --child 6 --partition a", { command: "VG_ADD", volume: 6, parent: 5, partition: "/vicepa" }],
  ["vgcdel --child 6 --partition a", { command: "VG_DEL", volume: 6, parent: 0, partition: "/vicepa" }],
  ["vgcquery --volumeid 5 --partition a", { payload: { parent: 5, members: [5, 6] } }],
  ["status", { payload: { pid: 99 }, names: { startTime: "2026-11-21T08:35:53.000Z" } }],
  ["listvolumes", { type: "volumes" }],
]
for (const [words, document] of documents) {
  test.serial(`dafs fssync ${words} --json: prints one document`, async (t) => {
    const { state } = await stage(t)
    t.like(JSON.parse(await run(state, ...words.split(" "), "--json")), document)
  })
}

test.serial("dafs fssync listvolumes --json: rows with the name of the state", async (t) => {
  const { state } = await stage(t)
  const { volumes } = JSON.parse(await run(state, "listvolumes", "--json"))
  t.like(volumes[0], { volume: 5, partition: "/vicepa", state: "ATTACHED", pending_vol_op: { pid: 4711 } })
  t.like(volumes[1], { volume: 6, state: "PREATTACHED" })
  t.is(volumes.length, 2)
})

test.serial("dafs fssync attach: a use attaches what VOL_ATTACH only registers, and ends at once", async (t) => {
  const { state, seen } = await stage(t)
  await run(state, "attach", "--volumeid", "5", "--partition", "a")
  const { VOL_ATTACH, VOL_GET, VOL_PUT } = fssyncCommands
  t.deepEqual(
    seen.map(({ command }) => command),
    [VOL_ATTACH, VOL_GET, VOL_PUT],
  )
  await run(state, "attach", "--volumeid", "5", "--partition", "a", "--only-register")
  t.deepEqual(
    seen.slice(3).map(({ command }) => command),
    [VOL_ATTACH],
  )
})

test.serial("dafs fssync attach: a volume that cannot be attached is an error, not a success", async (t) => {
  const staged = await stage(t)
  staged.answer = ({ command }) =>
    command === fssyncCommands.VOL_GET ? { response: responses.DENIED, reason: 103 } : okAnswer
  await t.throwsAsync(run(staged.state, "attach", "--volumeid", "5", "--partition", "a"), { code: "VNOVOL" })
})

const mistakes: readonly (readonly [string, RegExp])[] = [
  ["query", /volumeid/],
  ["query --volumeid x", /--volumeid: a number from 0 to 4294967295/],
  ["query --volumeid 4294967296", /--volumeid/],
  ["query --volumeid -1", /--volumeid/],
  ["online --volumeid 5", /partition/],
  ["offline --volumeid 5 --reason nonsense", /--reason nonsense: a number, or one of NONE/],
  ["offline --volumeid 5 --programtype nobody", /--programtype nobody: a number, or one of none, fileServer/],
  ["mode --volumeid 5 --mode sideways", /--mode sideways: a number, or one of READONLY/],
  ["move --volumeid 5 --address 1.2.3", /--address 1\.2\.3: an IPv4 address/],
  ["move --volumeid 5 --address 1.2.3.256", /--address/],
  ["get --volumeid 5 --hold -1", /--hold/],
  ["get --volumeid 5 --hold soon", /--hold/],
  ["stats nothing", /nothing/],
  ["stats vlru --generation oldest", /--generation oldest/],
  ["query --volumeid 5 --hold 3", /hold/],
  ["nonsense", /nonsense|command/i],
]
for (const [words, complaint] of mistakes) {
  test.serial(`dafs fssync ${words}: is refused, and nothing is sent`, async (t) => {
    const { state, seen } = await stage(t)
    const error = await t.throwsAsync(run(state, ...words.split(" ")))
    t.regex(error?.message ?? "", complaint)
    t.is(seen.length, 0)
  })
}

const endings: readonly (readonly [string, SyncAnswer, number])[] = [
  ["OK", okAnswer, 0],
  ["an unknown volume", { response: responses.FAILED, reason: fssyncReasons.UNKNOWN_VOLID }, 10],
  ["another's checkout", { response: responses.DENIED, reason: fssyncReasons.EXCLUSIVE }, 11],
  ["a salvage", { response: responses.DENIED, reason: fssyncReasons.SALVAGE }, 11],
  ["no pending operation", { response: responses.FAILED, reason: fssyncReasons.NO_PENDING_VOL_OP }, 10],
]
for (const [what, answer, status] of endings) {
  test(`dafs fssync: ${what} ends with status ${status}`, async (t) => {
    const staged = await stage(t)
    staged.answer = () => answer
    const end = await runDafs(["fssync", "offline", "--volumeid", "5", "--state-dir", staged.state, "--json"])
    t.is(end.status, status, end.stderr)
    if (status !== 0)
      t.regex(JSON.parse(end.stderr).message, /volume 5: the fileserver answers (DENIED|FAILED) [A-Z_]+$/)
    else t.is(JSON.parse(end.stdout).response, "OK")
  })
}

test("dafs fssync: without a fileserver it fails at once, and says where it looked", async (t) => {
  const state = temporaryDirectory(t)
  const end = await runDafs(["fssync", "list"], { environment: { DAFS_STATE_DIR: state } })
  t.is(end.status, 1)
  t.regex(
    end.stderr,
    /no server answers \(UNREACHABLE\), file \S+fssync\.sock: the fileserver is not running, .* \(--state-dir\): connect ENOENT/,
  )
})

for (const [words, message] of [
  [["query"], /volumeid/],
  [["nonsense"], /Unknown command: nonsense/],
  [[], /Which command\?/],
  [["stats", "vicep"], /stats vicep: --partition is wanted/],
  [["stats", "nothing"], /subsystem/],
  [["attach", "--volumeid", "5", "--partition", "/data/a-partition-of-mine"], /a name has at most 15 characters/],
  [["query", "--volumeid", "4294967296"], /--volumeid: a number from 0 to 4294967295/],
] as const) {
  test(`dafs ${["fssync", ...words].join(" ")}: wrong usage ends with status 2 and says what is wanted`, async (t) => {
    const end = await runDafs(["fssync", ...words])
    t.is(end.status, 2, end.stderr)
    t.regex(end.stderr, message)
  })
}

test("dafs fssync get --hold: keeps the volume in use until it is interrupted, then gives it back", async (t) => {
  const { state, seen } = await stage(t)
  const holder = spawnDafs(t, ["fssync", "get", "--volumeid", "5", "--hold", "1000", "--state-dir", state])
  await holder.line(/^volume 5: VOL_GET OK$/)
  t.deepEqual(
    seen.map(({ command }) => command),
    [fssyncCommands.VOL_GET],
  )
  const end = await holder.stop("SIGINT")
  t.is(end.status, 0, end.stderr)
  t.deepEqual(
    seen.map(({ command }) => command),
    [fssyncCommands.VOL_GET, fssyncCommands.VOL_PUT],
  )
})
