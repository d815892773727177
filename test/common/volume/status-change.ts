import test from "ava"
import { attachedVolume, now } from "../../support/attached.ts"
import { infoOnDisk } from "../../support/served-volumes.ts"

const tree = { file: "content", sub: { folder: { inner: "inner" } }, link: { link: "file" } }

test("status: what is given changes, what is not stays; version and author stay, the server's date does not", async (t) => {
  const home = await attachedVolume(t, tree)
  const file = home.at("file")
  const { record } = file
  home.volume.setStatus(file, { owner: 4_000_000_000, mode: 0o104_600, now: now + 5 })
  t.deepEqual(file.record, { ...record, owner: 4_000_000_000, mode: 0o4600, serverModifyTime: now + 5 })
  home.volume.setStatus(file, { group: 9, clientModTime: 77, now: now + 6 })
  t.like(file.record, { group: 9, unixModifyTime: 77, owner: 4_000_000_000, serverModifyTime: now + 6 })
  home.reopen()
  t.like(home.at("file").record, { group: 9, unixModifyTime: 77, owner: 4_000_000_000, mode: 0o4600 })
})

test("status: a symbolic link has dates and owners, but its mode stays", async (t) => {
  const home = await attachedVolume(t, tree)
  t.throws(() => home.volume.setStatus(home.at("link"), { mode: 0o644, now }), { code: "EINVAL" })
  home.volume.setStatus(home.at("link"), { clientModTime: 5, now })
  t.is(home.at("link").record.unixModifyTime, 5)
})

test("status: the owner of the root directory is the volume's, at once on disk", async (t) => {
  const home = await attachedVolume(t, tree)
  home.volume.setStatus(home.root, { owner: 1234, now })
  t.is(home.volume.rootOwner, 1234)
  t.is(infoOnDisk(home.partition, home.id).owner, 1234)
})

test("access list: a directory's governs it and what is in it, after it was attached again too", async (t) => {
  const home = await attachedVolume(t, tree)
  const sub = home.at("sub")
  const area = new Uint8Array(home.volume.accessListOf(sub))
  area[24] = 1
  const { dataVersion, record } = sub
  home.volume.setAccessList(sub, area, now + 9)
  t.deepEqual(sub.record, { ...record, serverModifyTime: now + 9 })
  t.is(sub.dataVersion, dataVersion)
  home.reopen()
  t.deepEqual(home.volume.accessListOf(home.at("sub")), area)
  t.deepEqual(home.volume.accessListOf(home.at("sub/inner")), area)
  t.notDeepEqual(home.volume.accessListOf(home.at("file")), area)
  t.throws(() => home.volume.setAccessList(home.at("file"), area, now), { code: "ENOTDIR" })
})

test("locks: readers are counted, a writer is alone, and both end after 300 seconds", async (t) => {
  const home = await attachedVolume(t, tree)
  const { volume } = home
  const file = home.at("file")
  const count = (at: number): number => volume.lockCount(file, at)
  volume.setLock(file, "read", now)
  volume.setLock(file, "read", now + 1)
  t.is(count(now + 1), 2)
  t.throws(() => volume.setLock(file, "write", now + 1), { code: "EAGAIN" })
  t.false(volume.releaseLock(file, now + 1))
  t.true(volume.releaseLock(file, now + 1))
  t.true(volume.releaseLock(file, now + 1), "without a lock too")
  volume.setLock(file, "write", now + 2)
  t.is(count(now + 2), -1)
  t.throws(() => volume.setLock(file, "read", now + 302), { code: "EAGAIN" })
  t.is(count(now + 303), 0)
  volume.setLock(file, "read", now + 303)
  t.is(count(now + 303), 1)
})

test("locks: an extension counts from then on, and needs a lock; a lock outlives a restart, and is no change of dates", async (t) => {
  const home = await attachedVolume(t, tree)
  const { record } = home.at("file")
  t.throws(() => home.volume.extendLock(home.at("file"), now), { code: "EINVAL" })
  home.volume.setLock(home.at("file"), "write", now)
  home.volume.extendLock(home.at("file"), now + 200)
  home.reopen()
  t.is(home.volume.lockCount(home.at("file"), now + 500), -1)
  t.deepEqual(home.at("file").record, { ...record, lockCount: -1, lockTime: now + 500 })
  t.throws(() => home.volume.extendLock(home.at("file"), now + 501), { code: "EINVAL" })
})
