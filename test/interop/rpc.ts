/** The stubs over Rx: against our own service on loopback, and against OpenAFS's servers in a cell. */
import test, { type ExecutionContext } from "ava"
import { AfsError } from "../../common/error.ts"
import { AFSStoreStatus, RXAFS } from "../../common/protocol/afsint.ts"
import { PR } from "../../common/protocol/ptint.ts"
import { fill } from "../../common/rpc/bulk-stream.ts"
import { rpcClient } from "../../common/rpc/client.ts"
import { isRpcError } from "../../common/rpc/rpc-call.ts"
import { type Procedures, rpcService } from "../../common/rpc/service.ts"
import { parseHost } from "../../common/rx/datagram-port.ts"
import { openRxSocket } from "../../common/rx/socket.ts"
import { cellAddress, sharedCell, wholeCell } from "../support/cell.ts"
import { seededRandom } from "../support/random.ts"
import { needsCell } from "../support/requirements.ts"
import { proveEveryCall } from "../support/rpc-echo.ts"

const loopback = "127.0.0.1"

for (const table of [RXAFS, PR])
  test(`rpc: every ${table.name} call carries its arguments, data and results over Rx`, async (t) => {
    await using server = await openRxSocket({ address: loopback })
    await using client = await openRxSocket({ address: loopback })
    await proveEveryCall(t, table, (service) => {
      server.endpoint.register(service)
      return client.endpoint.connect(parseHost(loopback) ?? 0, server.port, service.id)
    })
  })

const status = RXAFS.operations.StoreData64.reply.read(new Uint8Array(108))
const fid = { Volume: 1, Vnode: 2, Unique: 3 }
const store = { Fid: fid, InStatus: AFSStoreStatus.read(new Uint8Array(24)), Pos: 0 }

/** A file in memory, served over loopback; `refuseAt` is the byte at which a store is refused. */
async function servedFile(t: ExecutionContext, refuseAt = Number.POSITIVE_INFINITY) {
  const server = await openRxSocket({ address: loopback })
  const client = await openRxSocket({ address: loopback })
  t.teardown(() => client.close())
  t.teardown(() => server.close())
  const file = { bytes: Buffer.alloc(0) as Buffer }
  const procedures: Procedures<(typeof RXAFS)["operations"]> = {
    async StoreData64({ Length }, _call, bulk) {
      const into = Buffer.alloc(Math.min(Length, refuseAt))
      file.bytes = into.subarray(0, await fill(bulk, into))
      if (Length > refuseAt) throw new AfsError("VDISKFULL", "store")
      return status
    },
    async FetchData64({ Pos }, _call, bulk) {
      bulk.begin(file.bytes.length - Pos)
      await bulk.write(file.bytes.subarray(Pos))
      return { ...status, CallBack: { CallBackVersion: 1, ExpirationTime: 2, CallBackType: 3 } }
    },
  }
  const log = { error: (facts: object) => t.fail(JSON.stringify(facts)) }
  server.endpoint.register(rpcService(RXAFS, procedures, { log }))
  const connection = client.endpoint.connect(parseHost(loopback) ?? 0, server.port, RXAFS.service)
  return { file, fs: rpcClient(RXAFS, connection) }
}

test("rpc: eight megabytes go up and come down over Rx, byte for byte", async (t) => {
  const { file, fs } = await servedFile(t)
  const data = Buffer.from(seededRandom(t).bytes(8 << 20))
  await fs.StoreData64({ ...store, Length: data.length, FileLength: data.length }, (bulk) => bulk.write(data))
  t.true(file.bytes.equals(data))
  const got = Buffer.alloc(data.length)
  const { CallBack } = await fs.FetchData64({ Fid: fid, Pos: 0, Length: data.length }, async (bulk) => {
    t.is(await fill(bulk, got), data.length)
  })
  t.true(got.equals(data))
  t.is(CallBack.CallBackType, 3)
})

test("rpc: a server that has enough, or refuses, ends an upload over Rx at once", async (t) => {
  const data = Buffer.alloc(4 << 20, 1)
  const { file, fs } = await servedFile(t)
  await fs.StoreData64({ ...store, Length: 5000, FileLength: 5000 }, (bulk) => bulk.write(data))
  t.is(file.bytes.length, 5000)
  const full = await servedFile(t, 100_000)
  const error = await t.throwsAsync(
    full.fs.StoreData64({ ...store, Length: data.length, FileLength: data.length }, (bulk) => bulk.write(data)),
  )
  t.true(isRpcError(error, 108))
  t.is(full.file.bytes.length, 100_000)
})

test("rpc: a client that has seen enough of a file ends the download, and the connection goes on", async (t) => {
  const { file, fs } = await servedFile(t)
  file.bytes = Buffer.alloc(4 << 20, 2)
  const enough = new Error("enough")
  const stopped = fs.FetchData64({ Fid: fid, Pos: 0, Length: 1 }, async (bulk) => {
    await bulk.readable()
    throw enough
  })
  t.is(await t.throwsAsync(stopped), enough)
  const rest = await fs.FetchData64({ Fid: fid, Pos: (4 << 20) - 3, Length: 3 }, (bulk) => {
    t.is(bulk.length, 3)
  })
  t.is(rest.CallBack.ExpirationTime, 2)
})

const theCell = needsCell.met ? sharedCell(...wholeCell) : undefined

/** Calls the cell's servers from within and gives what `rpc-client.program.ts` printed. */
async function ask(part: string, ...args: string[]): Promise<Record<string, unknown>> {
  const cell = theCell?.()
  if (cell === undefined) throw new Error("there is no cell")
  const program = new URL("./rpc-client.program.js", import.meta.url).pathname
  return JSON.parse(await cell.exec(process.execPath, program, cellAddress, part, ...args))
}

const address = parseHost(cellAddress)

// Before the others: the ids of volumes that are created at a time lie between each other.
needsCell.serial("rpc: OpenAFS's vlserver understands our VL calls, and we its answers", async (t) => {
  const volume = await theCell?.().createVolume("rpc.located")
  const answers = await ask("vl", "rpc.located")
  t.like(answers, {
    probe: {},
    named: { name: "rpc.located", nServers: 1, flags: 0x1000 },
    old: { name: "rpc.located", nServers: 1 },
    byUuid: { name: "rpc.located", nServers: 1 },
    missing: 363524,
    absent: -455,
    listed: { nentries: 1, name: "rpc.located" },
    linked: { nentries: 1, name: "rpc.located" },
    notThere: 363524,
  })
  t.like(answers["named"], { volumeId: [volume, (volume ?? 0) + 1, (volume ?? 0) + 2] })
  t.deepEqual(answers["sameId"], answers["named"])
  t.is(answers["site"], address)
  t.deepEqual(answers["addresses"], { sameUuid: true, nentries: 1, blkaddrs: [address] })
  t.is(answers["statsWords"], 50)
})

needsCell("rpc: OpenAFS's ptserver understands our PR calls, and we its answers", async (t) => {
  t.like(await ask("pr"), {
    nameToId: { ilist: [-204, -101, 32766] },
    idToName: { nlist: ["system:administrators", "system:anyuser", "4711"] },
    cps: { elist: [-101, 32766], over: 0 },
    cps2: { elist: [-101, 32766], over: 0 },
    hostCps: { elist: [], over: 0 },
    member: 0,
    listed: { id: -204, name: "system:administrators" },
    noOne: 267268,
  })
})

needsCell("rpc: OpenAFS's fileserver understands our RXAFS calls, and we its answers and its callbacks", async (t) => {
  const volume = await theCell?.().createVolume("rpc.served")
  const answers = await ask("fs", String(volume))
  t.like(answers, {
    clockIsRight: true,
    capabilities: { capabilities: [7] },
    root: {
      InterfaceVersion: 1,
      FileType: 2,
      LinkCount: 2,
      Length: 2048,
      ParentVnode: 1,
      ParentUnique: 1,
      errorCode: 0,
    },
    promise: { CallBackVersion: 1, CallBackType: 2 },
    directory: { announced: 2048, read: 2048, length: 2048 },
    accessList: "1\n0\nsystem:anyuser\t127\n\0",
    status64: 16,
    status: { disks: ["/vicepa", "/vicepb"], words: 45 },
    wrongVersion: 49_733_376 + 21,
    created: { FileType: 1, Length: 0, UnixModeBits: 0o644 },
    stored: { Length: 100_003, DataVersion: 1 },
    fetched: { same: true, length: 100_003 },
    fetchedOld: { same: true, length: 3 },
    past: { announced: 0, length: 100_003 },
    bulk: { statuses: 2, callbacks: 2 },
    inline: { codes: [0, 102] },
    locked: { lockCount: 1 },
    link: "somewhere",
    renamed: true,
    volumeStatus: { Vid: volume, Name: "rpc.served", OfflineMsg: "", Motd: "" },
    xstats: { version: 2, counts: [0, 98, 666, 16] },
    existing: 49_733_376 + 16,
    tooLong: -450,
    noVolume: 103,
    flush: { spare2: 0, spare3: 0 },
    statistics: { on: 0, version: 1 },
    retrieved: { serverVersion: 1, stat_count: 0, stats: [] },
    refusals: { CheckToken: 130, GetRootVolume: 122, NGetVolumeInfo: 103, Lookup: 22, FsCmd: 22 },
    unknown: -455,
    callbacks: ["TellMeAboutYourself", "InitCallBackState3", "CallBack"],
  })
})
