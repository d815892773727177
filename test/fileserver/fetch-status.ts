import test from "ava"
import { AFSFetchStatus } from "../../common/protocol/afsint.ts"
import { newVnodeRecord, vnodeTypes } from "../../common/vnode/vnode-record.ts"
import { failedStatus, fetchStatus, locksOf, volumeSync } from "../../fileserver/fetch-status.ts"

const record = newVnodeRecord("small", {
  type: vnodeTypes.file,
  linkCount: 2,
  lengthLow: 7,
  lengthHigh: 3,
  dataVersion: 9,
  author: 11,
  owner: 12,
  group: -204,
  mode: 0o644,
  unixModifyTime: 100,
  serverModifyTime: 200,
  lockCount: -1,
  lockTime: 1000,
})
const rights = { caller: 127, anonymous: 9 }

test("fetch status: every field is where clients look for it", (t) => {
  const status = fetchStatus(record, { number: 1, unique: 5 }, rights, 1000)
  const words = AFSFetchStatus.encode(status)
  const view = new DataView(words.buffer, words.byteOffset)
  const found = Array.from({ length: 21 }, (_, index) => view.getInt32(4 * index))
  t.deepEqual(found, [1, 1, 2, 7, 9, 11, 12, 127, 9, 0o644, 1, 5, 1, 100, 200, -204, 0, 0, -1, 3, 0])
})

test("fetch status: locks are over when their time is", (t) => {
  t.is(locksOf(record, 1000), -1)
  t.is(locksOf(record, 1001), 0)
  t.is(fetchStatus(record, { number: 1, unique: 1 }, rights, 1001).lockCount, 0)
})

test("fetch status: a fid that failed shows its error and nothing else", (t) => {
  const status = failedStatus(102)
  t.like(status, { InterfaceVersion: 1, errorCode: 102, FileType: 0, ResidencyMask: 0 })
  t.is(
    Object.values(status).reduce((sum, value) => sum + value, 0),
    103,
  )
})

test("fetch status: a volume is known by its first date", (t) => {
  t.deepEqual(Object.values(volumeSync(77)), [77, 0, 0, 0, 0, 0])
})
