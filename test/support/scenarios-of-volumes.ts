/** Scenarios: volumes with little quota, and replicas, which nobody writes to. */
import { codeOf, storeStatus } from "./rxafs-client.ts"
import { allow, fetched, type Scenario, scenarioTools, stored } from "./rxafs-scenarios.ts"

const { bytes, everything, unchanged } = scenarioTools
const kib = 1024

/** The quota is 20 KiB. */
const quota: Scenario = {
  name: "a volume that becomes full",
  volume: "quota",
  async run(act) {
    const { fs, root: DirFid } = act
    const used = async (step: string): Promise<void> => {
      const { Volumestatus } = await fs.GetVolumeStatus({ Volumeid: act.volume })
      act.say(step, [Volumestatus.BlocksInUse, Volumestatus.MaxQuota])
    }
    await used("empty")
    const made = []
    for (let index = 0; index < 22; index++) {
      const file = fs.CreateFile({ DirFid, Name: bytes(`file-${index}`), InStatus: everything })
      made.push(await codeOf(file))
      await fs.GetTime()
    }
    act.say("files made", made)
    await used("full")
    await act.note("a directory", fs.MakeDir({ DirFid, Name: bytes("d"), InStatus: unchanged }))
    const link = { DirFid, Name: bytes("l"), LinkContents: bytes("x"), InStatus: storeStatus({ mode: 0o755 }) }
    await act.note("a symlink", fs.Symlink(link))
    const { StatArray } = await fs.InlineBulkStatus({ FidsArray: [{ ...DirFid, Vnode: 2, Unique: 2 }] })
    act.say("the first file", StatArray[0]?.errorCode)
    const first = { ...DirFid, Vnode: 2, Unique: await uniqueOf(2) }
    const second = { ...DirFid, Vnode: 4, Unique: await uniqueOf(4) }
    await act.note("stored beyond the quota", stored(fs, first, Buffer.alloc(500 * kib)))
    await used("with 500 KiB")
    await act.note("stored still further", stored(fs, second, Buffer.alloc(600 * kib)))
    await used("as before")
    await act.note("as much as the slack has", stored(fs, second, Buffer.alloc(400 * kib)))
    await used("with 900 KiB")
    await act.note("cut off", stored(fs, first, bytes(""), { Length: 0, FileLength: 0 }))
    await act.note("removed", fs.RemoveFile({ DirFid, Name: bytes("file-1") }))
    await used("less")
    await act.note("made again", fs.CreateFile({ DirFid, Name: bytes("again"), InStatus: everything }))

    /** From the directory's pages: 32-byte entries with vnode and uniquifier at 4 and 8. */
    async function uniqueOf(vnode: number): Promise<number> {
      const { data } = (await fetched(act, DirFid)) as { data: Buffer }
      for (let at = 13 * 32; at < 2048; at += 32)
        if (data[at] === 1 && data.readUInt32BE(at + 4) === vnode) return data.readUInt32BE(at + 8)
      return 0
    }
  },
}

const replica: Scenario = {
  name: "a replica",
  volume: "replica",
  async run(act) {
    const { fs, root: Fid } = act
    const DirFid = Fid
    await act.note("status", fs.FetchStatus({ Fid }))
    await act.note("list", fs.FetchACL({ Fid }))
    await act.note("bulk", fs.InlineBulkStatus({ FidsArray: [Fid] }))
    const { Volumestatus } = await fs.GetVolumeStatus({ Volumeid: act.volume })
    act.say("type", Volumestatus.Type)
    await act.note("CreateFile", fs.CreateFile({ DirFid, Name: bytes("x"), InStatus: everything }))
    await act.note("RemoveFile", fs.RemoveFile({ DirFid, Name: bytes("x") }))
    await act.note("StoreStatus", fs.StoreStatus({ Fid, InStatus: unchanged }))
    await act.note("time", codeOf(fs.GetTime()))
    await act.note("StoreACL", allow(fs, Fid, 127))
    await act.note("StoreData", stored(fs, Fid, bytes("x")))
    await act.note("StoreData into nothing", stored(fs, { ...Fid, Vnode: 998 }, bytes("x")))
    await act.note("rename", fs.Rename({ OldDirFid: Fid, OldName: bytes("a"), NewDirFid: Fid, NewName: bytes("b") }))
    await act.note("read lock", fs.SetLock({ Fid, Type: 0 }))
    await act.note("write lock", fs.SetLock({ Fid, Type: 1 }))
    await act.note("extended", fs.ExtendLock({ Fid }))
    await act.note("released", fs.ReleaseLock({ Fid }))
    await act.note("read lock on nothing", fs.SetLock({ Fid: { ...Fid, Vnode: 998 }, Type: 0 }))
    await act.note("released on nothing", fs.ReleaseLock({ Fid: { ...Fid, Vnode: 998 } }))
    await act.note("extended on nothing", fs.ExtendLock({ Fid: { ...Fid, Vnode: 998 } }))
    await act.note("write lock on nothing", fs.SetLock({ Fid: { ...Fid, Vnode: 998 }, Type: 1 }))
    await act.note("in the end", fs.FetchStatus({ Fid }))
    const volumeFid = { Volume: act.volume, Vnode: 0, Unique: 0 }
    await act.note("given up", fs.GiveUpCallBacks({ Fids_Array: [volumeFid], CallBacks_Array: [] }))
  },
}

export const volumeScenarios: readonly Scenario[] = [quota, replica]
