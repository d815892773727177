/** Inside a cell: calls one of its servers through the stubs and prints what it answered. */
import { setTimeout as after } from "node:timers/promises"
import type { AFSFid } from "../../common/protocol/afs-types.ts"
import { RXAFSCB } from "../../common/protocol/afscbint.ts"
import { type AFSStoreStatus, RXAFS } from "../../common/protocol/afsint.ts"
import { PR } from "../../common/protocol/ptint.ts"
import { RXSTATS } from "../../common/protocol/rxstats.ts"
import { VL } from "../../common/protocol/vldbint.ts"
import { rpcClient } from "../../common/rpc/client.ts"
import { rpcService } from "../../common/rpc/service.ts"
import { parseHost } from "../../common/rx/datagram-port.ts"
import { openRxSocket, type RxSocket } from "../../common/rx/socket.ts"
import { codeOf, collect } from "../support/rxafs-client.ts"

const host = parseHost(process.argv[2] ?? "") ?? 0
const wanted = process.argv[4] ?? ""

async function askLocations(socket: RxSocket): Promise<unknown> {
  const connection = socket.endpoint.connect(host, 7003, VL.service)
  const vl = rpcClient(VL, connection)
  const { entry } = await vl.GetEntryByNameN({ volumename: wanted })
  const { entry: byUuid } = await vl.GetEntryByNameU({ volumename: wanted })
  const uuid = byUuid.serverNumber[0] ?? ""
  const inaddr = { Mask: 4, ipaddr: 0, index: 0, spare1: 0, uuid }
  const addresses = await vl.GetAddrsU({ inaddr })
  const attributes = { Mask: 8, server: 0, partition: 0, spares3: 0, volumeid: entry.volumeId[0] ?? 0, flag: 0 }
  const listed = await vl.ListAttributesN({ attributes })
  const linked = await vl.LinkedListN({ attributes })
  // Opcode 2 is none of theirs.
  const absent = await codeOf(rpcClient(RXSTATS, connection).QueryProcessRPCStats())
  return {
    probe: await vl.ProbeServer(),
    named: entry,
    old: (await vl.GetEntryByNameO({ volumename: wanted })).entry,
    byUuid,
    sameId: (await vl.GetEntryByIDN({ Volid: entry.volumeId[0] ?? 0, voltype: 0 })).entry,
    site: entry.serverNumber[0],
    addresses: { sameUuid: addresses.uuidp1 === uuid, nentries: addresses.nentries, blkaddrs: addresses.blkaddrs },
    missing: await codeOf(vl.GetEntryByNameU({ volumename: "no.such.volume" })),
    absent,
    listed: { nentries: listed.nentries, name: listed.blkentries[0]?.name },
    linked: { nentries: linked.nentries, name: linked.linkedentries[0]?.name },
    notThere: await codeOf(vl.DeleteEntry({ Volid: 4711, voltype: 0 })),
    statsWords: (await vl.GetStats()).stats.requests.length,
  }
}

async function askNames(socket: RxSocket): Promise<unknown> {
  const pr = rpcClient(PR, socket.endpoint.connect(host, 7002, PR.service))
  return {
    nameToId: await pr.NameToID({ nlist: ["system:administrators", "system:anyuser", "nobody.known"] }),
    idToName: await pr.IDToName({ ilist: [-204, -101, 4711] }),
    cps: await pr.GetCPS({ id: 32766 }),
    cps2: await pr.GetCPS2({ id: 32766, host }),
    hostCps: await pr.GetHostCPS({ host }),
    member: (await pr.IsAMemberOf({ uid: 32766, gid: -204 })).flag,
    listed: (await pr.ListEntry({ id: -204 })).entry,
    noOne: await codeOf(pr.GetCPS({ id: 4711 })),
  }
}

/** What a cache manager of this UUID answers its fileserver; `calls` gets the names of what was asked. */
function callbackService(uuid: string, calls: string[]) {
  const addr = {
    numberOfInterfaces: 1,
    uuid,
    addr_in: [host, ...Array<number>(31).fill(0)],
    subnetmask: [0xffffff00, ...Array<number>(31).fill(0)],
    mtu: [1500, ...Array<number>(31).fill(0)],
  }
  const note = (name: string) => () => {
    if (!calls.includes(name)) calls.push(name)
  }
  return rpcService(
    RXAFSCB,
    {
      TellMeAboutYourself() {
        note("TellMeAboutYourself")()
        return { addr, capabilities: [1] }
      },
      InitCallBackState3: note("InitCallBackState3"),
      ProbeUuid: note("ProbeUuid"),
      CallBack: note("CallBack"),
    },
    {
      log: {
        error(facts) {
          throw new Error(JSON.stringify(facts))
        },
      },
    },
  )
}

type Fileserver = ReturnType<typeof rpcClient<(typeof RXAFS)["operations"]>>

const mode = (UnixModeBits: number): AFSStoreStatus => ({
  Mask: 8,
  ClientModTime: 0,
  Owner: 0,
  Group: 0,
  UnixModeBits,
  SegSize: 0,
})
const unchanged: AFSStoreStatus = { ...mode(0), Mask: 0 }

/** Creates a file, stores, fetches, links, locks and renames. */
async function useFiles(fs: Fileserver, root: AFSFid): Promise<Record<string, unknown>> {
  const Name = Buffer.from("file\u00e9", "latin1")
  const created = await fs.CreateFile({ DirFid: root, Name, InStatus: mode(0o644) })
  const Fid = created.OutFid
  const data = Buffer.alloc(100_003, "some data of ours ")
  const numbers = { Pos: 0, Length: data.length, FileLength: data.length }
  const stored = await fs.StoreData64({ Fid, InStatus: unchanged, ...numbers }, (bulk) => bulk.write(data))
  let got = Buffer.alloc(0) as Buffer
  const fetched = await fs.FetchData64({ Fid, Pos: 0, Length: 2 ** 40 }, async (bulk) => {
    got = await collect(bulk)
  })
  let old = Buffer.alloc(0) as Buffer
  const fetchedOld = await fs.FetchData({ Fid, Pos: 5, Length: 3 }, async (bulk) => {
    old = await collect(bulk)
  })
  let announced: number | undefined
  const past = await fs.FetchData64({ Fid, Pos: 2 ** 33, Length: 10 }, (bulk) => {
    announced = bulk.length
  })
  const existing = await codeOf(fs.CreateFile({ DirFid: root, Name, InStatus: mode(0o644) }))
  await fs.SetLock({ Fid, Type: 0 })
  const locked = await fs.FetchStatus({ Fid })
  await fs.ExtendLock({ Fid })
  await fs.ReleaseLock({ Fid })
  const missing = { ...Fid, Vnode: 9998 }
  const inline = await fs.InlineBulkStatus({ FidsArray: [Fid, missing] })
  const bulk = await fs.BulkStatus({ FidsArray: [root, Fid] })
  const NewName = Buffer.from("renamed")
  await fs.Rename({ OldDirFid: root, OldName: Name, NewDirFid: root, NewName })
  const renamed = (await codeOf(fs.RemoveFile({ DirFid: root, Name: NewName }))) === 0
  const symlink = await fs.Symlink({
    DirFid: root,
    Name: Buffer.from("link"),
    LinkContents: Buffer.from("somewhere"),
    InStatus: mode(0o755),
  })
  let link = ""
  await fs.FetchData64({ Fid: symlink.OutFid, Pos: 0, Length: 4096 }, async (source) => {
    link = (await collect(source)).toString()
  })
  return {
    created: created.OutFidStatus,
    stored: stored.OutStatus,
    fetched: { same: got.equals(data), length: fetched.OutStatus.Length },
    fetchedOld: { same: old.equals(data.subarray(5, 8)), length: old.length, of: fetchedOld.OutStatus.Length },
    past: { announced, length: past.OutStatus.Length },
    existing,
    locked: locked.OutStatus,
    inline: { codes: inline.StatArray.map(({ errorCode }) => errorCode) },
    bulk: { statuses: bulk.StatArray.length, callbacks: bulk.CBArray.length },
    renamed,
    link,
  }
}

async function extendedStatistics(fs: Fileserver): Promise<unknown> {
  const counts: number[] = []
  for (const collectionNumber of [0, 1, 2, 3])
    counts.push((await fs.GetXStats({ clientVersionNumber: 2, collectionNumber })).dataP.length)
  return { version: (await fs.XStatsVersion()).versionNumberP, counts }
}

async function askFiles(socket: RxSocket): Promise<unknown> {
  const calls: string[] = []
  socket.endpoint.register(callbackService("12345678-1234-1234-92-34-0123456789ab", calls))
  const connection = socket.endpoint.connect(host, 7000, RXAFS.service)
  const fs = rpcClient(RXAFS, connection)
  const statistics = rpcClient(RXSTATS, socket.endpoint.connect(host, 7000, RXSTATS.service))
  const capabilities = await fs.GetCapabilities()
  const root: AFSFid = { Volume: Number(wanted), Vnode: 1, Unique: 1 }
  const { OutStatus, CallBack } = await fs.FetchStatus({ Fid: root })
  let announced: number | undefined
  let read = 0
  const directory = await fs.FetchData64({ Fid: root, Pos: 0, Length: 999_999_999 }, async (bulk) => {
    announced = bulk.length
    read = (await collect(bulk)).length
  })
  const files = await useFiles(fs, root)

  // Somebody else changes the directory: we are told before its call is answered.
  await using other = await openRxSocket()
  other.endpoint.register(callbackService("12345678-1234-1234-92-34-0123456789ac", []))
  const stranger = rpcClient(RXAFS, other.endpoint.connect(host, 7000, RXAFS.service))
  await stranger.MakeDir({ DirFid: root, Name: Buffer.from("theirs"), InStatus: mode(0o755) })
  for (let round = 0; round < 100 && !calls.includes("CallBack"); round++) await after(20)

  const status = (await fs.GetStatistics()).Statistics
  const { Volumestatus, ...texts } = await fs.GetVolumeStatus({ Volumeid: root.Volume })
  const Inputs = { command: 0, fid: root, int64s: [0n, 0n, 0n], int32s: Array<number>(200).fill(0), chars: "" }
  return {
    ...files,
    clockIsRight: Math.abs((await fs.GetTime()).Seconds - Date.now() / 1000) < 60,
    capabilities,
    root: OutStatus,
    promise: CallBack,
    directory: { announced, read, length: directory.OutStatus.Length },
    accessList: Buffer.from((await fs.FetchACL({ Fid: root })).AccessList).toString(),
    status64: (await fs.GetStatistics64({ statsVersion: 16 })).Statistics.length,
    status: { disks: [status.Disk1.Name, status.Disk2.Name].sort(), words: Object.keys(status).length - 10 },
    wrongVersion: await codeOf(fs.GetStatistics64({ statsVersion: 15 })),
    volumeStatus: { Vid: Volumestatus.Vid, ...texts },
    xstats: await extendedStatistics(fs),
    tooLong: await codeOf(fs.RemoveFile({ DirFid: root, Name: Buffer.alloc(257, "x") })),
    noVolume: await codeOf(fs.FetchStatus({ Fid: { Volume: 4711, Vnode: 1, Unique: 1 } })),
    flush: await fs.FlushCPS({ IdsArray: [1], AddrsArray: [], spare1: 0 }),
    statistics: {
      on: (await statistics.QueryProcessRPCStats()).on,
      version: (await statistics.QueryRPCStatsVersion()).ver,
    },
    retrieved: await statistics.RetrieveProcessRPCStats({ clientVersion: 1 }),
    refusals: {
      CheckToken: await codeOf(fs.CheckToken({ ViceId: 1, token: Buffer.from("x") })),
      GetRootVolume: await codeOf(fs.GetRootVolume()),
      NGetVolumeInfo: await codeOf(fs.NGetVolumeInfo({ VolumeName: "root.cell" })),
      Lookup: await codeOf(fs.Lookup({ DirFid: root, Name: Buffer.from("x") })),
      FsCmd: await codeOf(fs.FsCmd({ Fid: root, Inputs })),
    },
    unknown: await codeOf(rpcClient(VL, connection).ProbeServer()),
    gaveUp: await fs.GiveUpAllCallBacks(),
    callbacks: calls,
  }
}

await using socket = await openRxSocket()
const parts: Readonly<Record<string, (socket: RxSocket) => Promise<unknown>>> = {
  vl: askLocations,
  pr: askNames,
  fs: askFiles,
}
const part = parts[process.argv[3] ?? ""]
process.stdout.write(JSON.stringify(await part?.(socket)))
