import test from "ava"
import { objectStatus, storeStatus, volumeStatus } from "../../client/status.ts"
import { AFSFetchStatus, AFSFetchVolumeStatus } from "../../common/protocol/afsint.ts"

const fid = { Volume: 5, Vnode: 2, Unique: 3 }

test("status: lengths and versions beyond 32 bits are whole, locks are signed", (t) => {
  const status = {
    ...AFSFetchStatus.read(new Uint8Array(84)),
    FileType: 1,
    Length: 7,
    Length_hi: 2,
    DataVersion: 5,
    dataVersionHigh: 1,
    lockCount: 0xffff_ffff,
  }
  const shown = objectStatus(fid, status)
  t.is(shown.type, "file")
  t.is(shown.length, 2 ** 33 + 7)
  t.is(shown.dataVersion, 2 ** 32 + 5)
  t.is(shown.lockCount, -1)
  t.is(objectStatus(fid, { ...status, FileType: 2 }).type, "directory")
  t.is(objectStatus(fid, { ...status, FileType: 3 }).type, "symlink")
  t.is(objectStatus(fid, { ...status, FileType: 9 }).type, "unknown")
})

test("status: a change has a bit for each field that is given, and zeros for the others", (t) => {
  t.deepEqual(storeStatus(), { Mask: 0, ClientModTime: 0, Owner: 0, Group: 0, UnixModeBits: 0, SegSize: 0 })
  t.deepEqual(storeStatus({ modifyTime: 5, owner: 0, group: 7, mode: 0o600, fsync: true }), {
    Mask: 1 + 2 + 4 + 8 + 1024,
    ClientModTime: 5,
    Owner: 0,
    Group: 7,
    UnixModeBits: 0o600,
    SegSize: 0,
  })
})

test("status: a volume's id is unsigned, its flags are", (t) => {
  const status = { ...AFSFetchVolumeStatus.read(new Uint8Array(48)), Vid: -1, Type: 1, Online: 1, MaxQuota: 5 }
  t.like(volumeStatus(status, "home", "away"), {
    id: 0xffff_ffff,
    name: "home",
    offlineMessage: "away",
    isReadWrite: true,
    isOnline: true,
    needsSalvage: false,
    quota: 5,
  })
})
