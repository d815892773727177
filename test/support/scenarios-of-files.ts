/** Scenarios: status and data of files, stores, locks, quota-free arithmetic of lengths, modes and owners. */

import { VL } from "../../common/protocol/vldbint.ts"
import { rpcClient } from "../../common/rpc/client.ts"
import { storeStatus } from "./rxafs-client.ts"
import { type Act, type AFSFid, fetched, type Scenario, scenarioTools, stored } from "./rxafs-scenarios.ts"

const { bytes, everything, unchanged } = scenarioTools

async function makeFile(act: Act, name: string, contents = "", InStatus = everything): Promise<AFSFid> {
  const { OutFid } = await act.fs.CreateFile({ DirFid: act.root, Name: bytes(name), InStatus })
  if (contents !== "") await stored(act.fs, OutFid, bytes(contents))
  return OutFid
}

const facts: Scenario = {
  name: "what a server says of itself",
  volume: "files",
  async run(act) {
    const { fs, root } = act
    await act.note("GetCapabilities", fs.GetCapabilities())
    await act.note("FetchStatus of the root", fs.FetchStatus({ Fid: root }))
    await act.note("GetVolumeStatus of volume 0", fs.GetVolumeStatus({ Volumeid: 0 }))
    await act.note("GetVolumeStatus of an unknown volume", fs.GetVolumeStatus({ Volumeid: 4711 }))
    const { Volumestatus, ...texts } = await fs.GetVolumeStatus({ Volumeid: act.volume })
    const { PartBlocksAvail, PartMaxBlocks, BlocksInUse, ...status } = Volumestatus
    act.say("GetVolumeStatus", { ...status, ...texts, Name: texts.Name.replace(/^.*\./, "") })
    act.say("space", [PartBlocksAvail > 0, PartMaxBlocks >= PartBlocksAvail, BlocksInUse])
    const setting = { Mask: 2, MinQuota: 0, MaxQuota: 100 }
    const texts2 = { Name: "", OfflineMsg: "", Motd: "" }
    await act.note("SetVolumeStatus", fs.SetVolumeStatus({ Volumeid: act.volume, Volumestatus: setting, ...texts2 }))
    await act.note("GetRootVolume", fs.GetRootVolume())
    await act.note("CheckToken", fs.CheckToken({ ViceId: 1, token: bytes("x") }))
    await act.note("NGetVolumeInfo", fs.NGetVolumeInfo({ VolumeName: "root.cell" }))
    await act.note("Lookup", fs.Lookup({ DirFid: root, Name: bytes("x") }))
    const make = { DirFid: root, Name: bytes("x"), LinkContents: bytes("y"), InStatus: unchanged }
    await act.note("DFSSymlink", fs.DFSSymlink(make))
    await act.note("FlushCPS", fs.FlushCPS({ IdsArray: [1], AddrsArray: [], spare1: 0 }))
    await act.note("CallBackRxConnAddr", fs.CallBackRxConnAddr({ addr: 0x0a630063 }))
    await act.note("an opcode that nobody has", rpcClient(VL, act.client.connection).ProbeServer())
    await act.note("XStatsVersion", fs.XStatsVersion())
    for (const collectionNumber of [0, 1, 2, 3, 4]) {
      const words = fs.GetXStats({ clientVersionNumber: 2, collectionNumber })
      await act.note(
        `GetXStats ${collectionNumber}`,
        words.then(({ dataP }) => dataP.length),
      )
    }
    await act.note("GetStatistics64 of another version", fs.GetStatistics64({ statsVersion: 15 }))
    const { Statistics } = await fs.GetStatistics64({ statsVersion: 16 })
    act.say("GetStatistics64", Statistics.length)
    const old = (await fs.GetStatistics()).Statistics
    act.say("GetStatistics", { StartTime: old.StartTime > 0, BootTime: old.BootTime, disk: old.Disk1.Name !== "" })
    await act.note(
      "GetTime",
      fs.GetTime().then(({ Seconds }) => ({ Seconds })),
    )
  },
}

const wrongFids: Scenario = {
  name: "fids that lead nowhere",
  volume: "files",
  async run(act) {
    const { fs, volume } = act
    const fid = (Volume: number, Vnode: number, Unique: number): AFSFid => ({ Volume, Vnode, Unique })
    await act.note("volume 0", fs.FetchStatus({ Fid: fid(0, 1, 1) }))
    await act.note("vnode 0", fs.FetchStatus({ Fid: fid(volume, 0, 1) }))
    await act.note("unknown volume", fs.FetchStatus({ Fid: fid(4711, 1, 1) }))
    await act.note("wrong uniquifier", fs.FetchStatus({ Fid: fid(volume, 1, 99) }))
    await act.note("vnode far beyond", fs.FetchStatus({ Fid: fid(volume, 0xffff_fffe, 1) }))
    await act.note("free vnode", fs.FetchStatus({ Fid: fid(volume, 999_998, 7) }))
    await act.note("FetchData of nothing", fetched(act, fid(volume, 4710, 7)))
    await act.note("StoreData into nothing", stored(fs, fid(volume, 4710, 7), bytes("x")))
    await act.note("RemoveFile in nothing", fs.RemoveFile({ DirFid: fid(volume, 4711, 7), Name: bytes("x") }))
    await act.note("SetLock on nothing", fs.SetLock({ Fid: fid(volume, 4710, 7), Type: 0 }))
    await act.note("FetchACL of nothing", fs.FetchACL({ Fid: fid(volume, 4710, 7) }))
  },
}

const contents: Scenario = {
  name: "contents: fetched as they were stored, whatever their size",
  volume: "files",
  async run(act) {
    for (const size of [0, 1, 2, 1023, 1024, 1025, 1412, 1416, 1417, 65_536, 400_000]) {
      const Fid = await makeFile(act, `size-${size}`)
      const data = Buffer.alloc(size, "0123456789abcdefghijklmnopqrstuvw")
      const { OutStatus } = await stored(act.fs, Fid, data)
      act.say(`stored ${size}`, OutStatus)
      let same = false
      await act.fs.FetchData64({ Fid, Pos: 0, Length: 2 ** 40 }, async (bulk) => {
        const parts: Uint8Array[] = []
        while (!bulk.isRead) {
          const piece = bulk.read()
          if (piece === undefined) await bulk.readable()
          else parts.push(piece)
        }
        same = Buffer.concat(parts).equals(data)
      })
      act.say(`fetched ${size}`, same)
    }
  },
}

const ranges: Scenario = {
  name: "ranges of a fetch",
  volume: "files",
  async run(act) {
    const Fid = await makeFile(act, "ranges", "0123456789")
    await act.note("all", fetched(act, Fid))
    await act.note("in the middle", fetched(act, Fid, 3, 4))
    await act.note("across the end", fetched(act, Fid, 8, 10))
    await act.note("at the end", fetched(act, Fid, 10, 10))
    await act.note("past the end", fetched(act, Fid, 2 ** 33, 10))
    await act.note("nothing", fetched(act, Fid, 3, 0))
    await act.note("negative position", fetched(act, Fid, -1, 10))
    await act.note("negative length", fetched(act, Fid, 0, -10))
    let old: number | undefined
    const call = act.fs.FetchData({ Fid, Pos: 2, Length: 100 }, (bulk) => {
      old = bulk.length
    })
    await act.note("the old call", call)
    act.say("announced", old)
    await act.note(
      "the old call, negative",
      act.fs.FetchData({ Fid, Pos: -2, Length: 100 }, () => {}),
    )
  },
}

const lengths: Scenario = {
  name: "lengths after stores",
  volume: "files",
  async run(act) {
    const { fs } = act
    const Fid = await makeFile(act, "lengths")
    const steps: [string, string, { Pos?: number; Length?: number; FileLength?: number }][] = [
      ["six bytes", "sixsix", {}],
      ["four behind them", "four", { Pos: 6, FileLength: 10 }],
      ["three, file length 100", "abc", { FileLength: 100 }],
      ["nothing, file length 6", "", { FileLength: 6 }],
      ["nothing at all", "", { FileLength: 0 }],
      ["behind a hole", "end", { Pos: 5000, FileLength: 5003 }],
      ["nothing at 9000", "", { Pos: 9000, FileLength: 9000 }],
      ["in the middle, file length 4", "xy", { Pos: 1, FileLength: 4 }],
      ["to zero", "", { Pos: 0, Length: 0, FileLength: 0 }],
    ]
    for (const [step, data, numbers] of steps) {
      await act.note(step, stored(fs, Fid, bytes(data), numbers))
      await act.note(`contents after ${step}`, fetched(act, Fid))
    }
  },
}

const wrongLengths: Scenario = {
  name: "stores that bring other lengths than they say",
  volume: "files",
  async run(act) {
    const { fs } = act
    const Fid = await makeFile(act, "wrong-lengths", "0123456789")
    await act.note("less data", stored(fs, Fid, bytes("abc"), { Length: 8, FileLength: 10 }))
    await act.note("then", fetched(act, Fid))
    await act.note("more data", stored(fs, Fid, bytes("abcdefgh"), { Length: 2, FileLength: 10 }))
    await act.note("then", fetched(act, Fid))
    await act.note("no data", stored(fs, Fid, bytes(""), { Length: 5, FileLength: 12 }))
    await act.note("then", fetched(act, Fid))
    const old = { Fid, InStatus: unchanged, Pos: 0, Length: 3, FileLength: 3 }
    await act.note(
      "the old call",
      fs.StoreData(old, (bulk) => bulk.write(bytes("old"))),
    )
    await act.note(
      "the old call beyond 2 GB",
      fs.StoreData({ ...old, Pos: 2 ** 31 }, () => {}),
    )
    for (const Pos of [2 ** 44, 2 ** 53, 2 ** 62]) {
      await act.note(`beyond all disks, at ${Pos}`, stored(fs, Fid, bytes("x"), { Pos }))
      await act.note(`extended to ${Pos}`, stored(fs, Fid, bytes(""), { Pos, FileLength: Pos }))
      await act.note("then", fetched(act, Fid, Pos))
    }
    await act.note("into a directory", stored(fs, act.root, bytes("x")))
    const made = await fs.Symlink({
      DirFid: act.root,
      Name: bytes("a-link"),
      LinkContents: bytes("t"),
      InStatus: storeStatus({ mode: 0o755 }),
    })
    await act.note("into a symlink", stored(fs, made.OutFid, bytes("x")))
  },
}

const statuses: Scenario = {
  name: "what StoreStatus and StoreData make of modes, owners and times",
  volume: "files",
  async run(act) {
    const { fs } = act
    const Fid = await makeFile(act, "statuses", "x")
    const store = (step: string, InStatus: typeof unchanged): Promise<unknown> =>
      act.note(step, fs.StoreStatus({ Fid, InStatus }))
    await store("nothing", unchanged)
    await store("mode", storeStatus({ mode: 0o100600 }))
    await store("time", storeStatus({ modTime: 1_000_000_000 }))
    await store("time and mode", storeStatus({ modTime: 5, mode: 0o755 }))
    await store("sticky bit", storeStatus({ mode: 0o1755 }))
    await store("setuid", storeStatus({ mode: 0o4755 }))
    await store("setgid", storeStatus({ mode: 0o2755 }))
    await store("owner", storeStatus({ owner: 5 }))
    await store("the same owner", storeStatus({ owner: 32_766 }))
    await store("group", storeStatus({ group: 7 }))
    await act.note("data with a time", stored(fs, Fid, bytes("y"), {}, storeStatus({ modTime: 77 })))
    await act.note("data with a mode", stored(fs, Fid, bytes("y"), {}, storeStatus({ mode: 0o640 })))
    await act.note("data with setuid", stored(fs, Fid, bytes("y"), {}, storeStatus({ mode: 0o4640 })))
    await act.note("data with fsync", stored(fs, Fid, bytes("y"), {}, storeStatus({ fsync: true })))
    await act.note("data with an owner", stored(fs, Fid, bytes("y"), {}, storeStatus({ owner: 9 })))
    await act.note("the root's mode", fs.StoreStatus({ Fid: act.root, InStatus: storeStatus({ mode: 0o777 }) }))
    await act.note("the root's owner", fs.StoreStatus({ Fid: act.root, InStatus: storeStatus({ owner: 1 }) }))
    await act.note("in the end", fs.FetchStatus({ Fid }))
  },
}

const creations: Scenario = {
  name: "what new objects begin with",
  volume: "files",
  async run(act) {
    const { fs, root: DirFid } = act
    const masks: [string, typeof unchanged][] = [
      ["nothing", unchanged],
      ["mode", storeStatus({ mode: 0o100644 })],
      ["setuid", storeStatus({ mode: 0o4755 })],
      ["sticky", storeStatus({ mode: 0o1777 })],
      ["time", storeStatus({ modTime: 12_345 })],
      ["owner", storeStatus({ owner: 555 })],
      ["owner and group", storeStatus({ owner: 555, group: 66, mode: 0o600 })],
    ]
    for (const [what, InStatus] of masks) {
      await act.note(`file with ${what}`, fs.CreateFile({ DirFid, Name: bytes(`f ${what}`), InStatus }))
      await act.note(`directory with ${what}`, fs.MakeDir({ DirFid, Name: bytes(`d ${what}`), InStatus }))
      const Name = bytes(`l ${what}`)
      await act.note(
        `symlink with ${what}`,
        fs.Symlink({
          DirFid,
          Name,
          LinkContents: bytes("target"),
          InStatus: { ...InStatus, UnixModeBits: InStatus.UnixModeBits | 0o111 },
        }),
      )
    }
    const point = {
      DirFid,
      Name: bytes("mount"),
      LinkContents: bytes("#root.cell."),
      InStatus: storeStatus({ mode: 0o644 }),
    }
    const made = await act.note("mount point", fs.Symlink(point))
    if (made !== undefined) await act.note("its contents", fetched(act, made.OutFid))
    const empty = { ...point, Name: bytes("empty"), LinkContents: bytes(""), InStatus: storeStatus({ mode: 0o755 }) }
    const nothing = await act.note("symlink to nothing", fs.Symlink(empty))
    if (nothing !== undefined) await act.note("its contents", fetched(act, nothing.OutFid))
    const long = { ...empty, Name: bytes("long"), LinkContents: Buffer.alloc(1024, "x") }
    const longest = await act.note("longest symlink", fs.Symlink(long))
    if (longest !== undefined) await act.note("its status", fs.FetchStatus({ Fid: longest.OutFid }))
  },
}

const locks: Scenario = {
  name: "locks",
  volume: "files",
  async run(act) {
    const { fs } = act
    const Fid = await makeFile(act, "locked", "x")
    const look = async (step: string): Promise<void> => {
      const { OutStatus } = await fs.FetchStatus({ Fid })
      act.say(step, OutStatus.lockCount)
    }
    await act.note("read lock", fs.SetLock({ Fid, Type: 0 }))
    await act.note("second read lock", fs.SetLock({ Fid, Type: 0 }))
    await look("two readers")
    await act.note("write lock against readers", fs.SetLock({ Fid, Type: 1 }))
    await act.note("extended", fs.ExtendLock({ Fid }))
    await act.note("released", fs.ReleaseLock({ Fid }))
    await look("one reader")
    await act.note("released", fs.ReleaseLock({ Fid }))
    await look("none")
    await act.note("released without a lock", fs.ReleaseLock({ Fid }))
    await act.note("extended without a lock", fs.ExtendLock({ Fid }))
    await act.note("write lock", fs.SetLock({ Fid, Type: 1 }))
    await look("a writer")
    await act.note("read lock against a writer", fs.SetLock({ Fid, Type: 0 }))
    await act.note("write lock against a writer", fs.SetLock({ Fid, Type: 1 }))
    await act.note("released", fs.ReleaseLock({ Fid }))
    await act.note("no such type", fs.SetLock({ Fid, Type: 2 }))
    await act.note("a type below", fs.SetLock({ Fid, Type: -1 }))
    await act.note("directory", fs.SetLock({ Fid: act.root, Type: 1 }))
    await act.note("directory released", fs.ReleaseLock({ Fid: act.root }))
    const Sync = { spare1: 0, spare2: 0, spare3: 0, spare4: 0, spare5: 0, spare6: 0 }
    await act.note("old form", fs.OldSetLock({ Fid, Type: 0, Sync }))
    await act.note("old form extended", fs.OldExtendLock({ Fid, Sync }))
    await look("one reader by the old form")
    await act.note("old form released", fs.OldReleaseLock({ Fid, Sync }))
    await look("none again")
  },
}

const bulk: Scenario = {
  name: "bulk statuses",
  volume: "files",
  async run(act) {
    const { fs, root } = act
    const fids = await Promise.all(Array.from({ length: 49 }, (_, index) => makeFile(act, `bulk-${index}`)))
    const missing = { ...root, Vnode: 99_998 }
    const sorted = fids.sort((a, b) => a.Vnode - b.Vnode)
    await act.note("three, one missing", fs.InlineBulkStatus({ FidsArray: [root, missing, sorted[0] ?? root] }))
    const fifty = await fs.InlineBulkStatus({ FidsArray: [...sorted, missing] })
    act.say(
      "fifty",
      fifty.StatArray.map(({ errorCode }) => errorCode),
    )
    act.say(
      "promises",
      fifty.CBArray.map(({ CallBackType }) => CallBackType),
    )
    const far = { ...root, Volume: 4711 }
    const zero = { ...root, Volume: 0 }
    await act.note("the first volume unknown", fs.InlineBulkStatus({ FidsArray: [far, zero, root, far] }))
    await act.note("all fail", fs.InlineBulkStatus({ FidsArray: [far, missing] }))
    await act.note("51", fs.InlineBulkStatus({ FidsArray: [...sorted, root, root] }))
    await act.note("0 inline", fs.InlineBulkStatus({ FidsArray: [] }))
    await act.note("0", fs.BulkStatus({ FidsArray: [] }))
    await act.note("two", fs.BulkStatus({ FidsArray: [root, sorted[3] ?? root] }))
    await act.note("one missing", fs.BulkStatus({ FidsArray: [root, missing] }))
  },
}

const untranslated: Scenario = {
  name: "a client that does not know OpenAFS's table of errors",
  volume: "files",
  async run(act) {
    const plain = await act.another({ capabilities: [0] })
    const Name = bytes("not there")
    await act.note("plain", plain.fs.RemoveFile({ DirFid: act.root, Name }))
    await act.note("translated", act.fs.RemoveFile({ DirFid: act.root, Name }))
    const none = await act.another({ capabilities: [] })
    await act.note("no words", none.fs.RemoveFile({ DirFid: act.root, Name }))
    const fid = { ...act.root, Volume: 0 }
    const inline = await plain.fs.InlineBulkStatus({ FidsArray: [fid] })
    act.say("plain inline", inline.StatArray)
    await act.note("plain lock type", plain.fs.SetLock({ Fid: act.root, Type: 9 }))
  },
}

export const fileScenarios: readonly Scenario[] = [
  facts,
  wrongFids,
  contents,
  ranges,
  lengths,
  wrongLengths,
  statuses,
  creations,
  locks,
  bulk,
  untranslated,
]
