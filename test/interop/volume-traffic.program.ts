/**
 * Inside a cell: does each thing once that VolumeInfo counts, from an address near the server and from one that is not:
 * `server volume far-address`. The same work twice gives the same counts, whoever the server is.
 */
import { Fileserver, type FileserverStubs, findServer } from "../../client/fileserver.ts"
import type { AFSFid } from "../../common/protocol/afs-types.ts"
import { codeOf, collect, storeStatus } from "../support/rxafs-client.ts"

const [, , address = "", volumeText = "", far = ""] = process.argv
const root: AFSFid = { Volume: Number(volumeText), Vnode: 1, Unique: 1 }
const mode = storeStatus({ mode: 0o644 })
const unchanged = storeStatus({})
const long = 5_000

const named = (name: string, DirFid = root) => ({ DirFid, Name: Buffer.from(name) })
const ago = (seconds: number) => storeStatus({ modTime: Math.floor(Date.now() / 1000) - seconds })

async function fetchAll(fs: FileserverStubs, Fid: AFSFid): Promise<void> {
  await fs.FetchData64({ Fid, Pos: 0, Length: 1 << 20 }, async (bulk) => void (await collect(bulk)))
}

const store = (fs: FileserverStubs, Fid: AFSFid, announced = 5, InStatus = unchanged) =>
  fs.StoreData64({ Fid, InStatus, Pos: 0, Length: announced, FileLength: announced }, (bulk) =>
    bulk.write(Buffer.from("hello")),
  )

async function files(fs: FileserverStubs): Promise<void> {
  const { OutFid: file } = await fs.CreateFile({ ...named("file"), InStatus: mode })
  await codeOf(fs.CreateFile({ ...named("file"), InStatus: mode }))
  await store(fs, file)
  await codeOf(store(fs, file, 9))
  await fs.StoreStatus({ Fid: file, InStatus: ago(long) })
  await store(fs, file, 5, storeStatus({ modTime: 1000 }))
  await store(fs, file)
  await fetchAll(fs, file)
  await fs.FetchStatus({ Fid: file })
  await fs.Link({ ...named("again"), ExistingFid: file })
  await fs.RemoveFile(named("again"))
  await codeOf(fs.RemoveFile(named("again")))
}

async function directories(fs: FileserverStubs): Promise<void> {
  await fs.StoreStatus({ Fid: root, InStatus: ago(long) })
  const { OutFid: one } = await fs.MakeDir({ ...named("one"), InStatus: mode })
  await fs.StoreStatus({ Fid: root, InStatus: ago(-long) })
  await fs.Symlink({ ...named("link"), LinkContents: Buffer.from("file"), InStatus: mode })
  await fs.CreateFile({ ...named("other", one), InStatus: mode })
  const move = (OldName: string, NewDirFid: AFSFid, NewName: string) =>
    fs.Rename({ OldDirFid: root, OldName: Buffer.from(OldName), NewDirFid, NewName: Buffer.from(NewName) })
  await move("file", root, "moved")
  await move("moved", one, "other")
  await fs.RemoveFile(named("other", one))
  await fs.RemoveFile(named("link"))
  await fs.RemoveDir(named("one"))
}

async function looks(fs: FileserverStubs): Promise<void> {
  await fetchAll(fs, root)
  await fs.FetchACL({ Fid: root })
  await fs.StoreACL({ Fid: root, AccessList: Buffer.from("1\n0\nsystem:anyuser\t127\n\0") })
  await fs.InlineBulkStatus({ FidsArray: [root, root, { ...root, Vnode: 99 }] })
  await fs.SetLock({ Fid: root, Type: 0 })
  await fs.ReleaseLock({ Fid: root })
  await fs.GetVolumeStatus({ Volumeid: root.Volume })
}

for (const bind of [address, far]) {
  await using server = await Fileserver.open(await findServer(address), { bind })
  await files(server.rxafs)
  await directories(server.rxafs)
  await looks(server.rxafs)
}
