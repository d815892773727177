/** The stubs over Rx: against our own service on loopback, and against OpenAFS's servers in a cell. */
import test from "ava"
import { RXAFS } from "../../common/protocol/afsint.ts"
import { PR } from "../../common/protocol/ptint.ts"
import { parseHost } from "../../common/rx/datagram-port.ts"
import { openRxSocket } from "../../common/rx/socket.ts"
import { cellAddress, sharedCell, wholeCell } from "../support/cell.ts"
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

const theCell = needsCell.met ? sharedCell(...wholeCell) : undefined

/** Calls the cell's servers from within and gives what `rpc-client.program.ts` printed. */
async function ask(part: string, ...args: string[]): Promise<Record<string, unknown>> {
  const cell = theCell?.()
  if (cell === undefined) throw new Error("there is no cell")
  const program = new URL("./rpc-client.program.js", import.meta.url).pathname
  return JSON.parse(await cell.exec(process.execPath, program, cellAddress, part, ...args))
}

const address = parseHost(cellAddress)

needsCell("rpc: OpenAFS's vlserver understands our VL calls, and we its answers", async (t) => {
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
