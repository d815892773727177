import test from "ava"
import { backupVolume } from "../../../volserver/operations/backup.ts"
import { attachedVolume, by, nameOf, now, storeOf, TestVolume, testCaches } from "../../support/attached.ts"
import { standaloneContext } from "../../support/volume-builder.ts"

const bytes = (text: string): Uint8Array => new Uint8Array(Buffer.from(text))

/** Position, length, file length, what comes; what the file is afterwards, having been "0123456789". */
const stores: readonly (readonly [number, number, number, string, string])[] = [
  [0, 0, 0, "", ""],
  [0, 0, 4, "", "0123"],
  [10, 4, 14, "abcd", "0123456789abcd"],
  [6, 4, 10, "abcd", "012345abcd"],
  [0, 3, 100, "abc", "abc3456789"],
  [12, 2, 14, "ab", "0123456789\0\0ab"],
  [12, 0, 10, "", "0123456789\0\0"],
  [2, 4, 10, "ab", "01ab456789"],
  [0, 2, 10, "abcdef", "ab23456789"],
  [12, 4, 5, "", "01234"],
]

test("store: length, content and version follow what came and what was announced", async (t) => {
  const home = await attachedVolume(t)
  for (const [index, [position, length, fileLength, came, wanted]] of stores.entries()) {
    const file = home.put(home.root, `${index}`, "0123456789")
    const { dataVersion } = file
    home.store(file, { position, length, fileLength, author: 7, now: now + 1, clientModTime: 5 }, bytes(came))
    t.is(home.text(file), wanted, `store ${index}`)
    t.is(file.length, wanted.length)
    t.is(file.dataVersion, dataVersion + 1)
    t.like(file.record, { author: 7, unixModifyTime: 5, serverModifyTime: now + 1 })
  }
  home.reopen()
  for (const [index, [, , , , wanted]] of stores.entries()) t.is(home.text(home.at(`${index}`)), wanted)
})

test("store: only files take data; refused ones change nothing", async (t) => {
  const home = await attachedVolume(t, { link: { link: "x" }, file: "content" })
  t.throws(() => home.store(home.root, {}), { code: "EISDIR" })
  t.throws(() => home.store(home.at("link"), {}), { code: "EISDIR" })
  t.throws(() => home.store(home.at("file"), { position: 2 ** 53, length: 1 }), { code: "VDISKFULL" })
  t.is(home.text(home.at("file")), "content")
})

test("quota: new objects need room; a store may go 1024 blocks beyond; what is removed is given back", async (t) => {
  const home = await attachedVolume(t, {}, { quota: 5 })
  const { volume, root } = home
  t.deepEqual(volume.space, { used: 2, max: 5, min: 0 })
  home.put(root, "1")
  home.put(root, "2")
  t.throws(() => volume.makeDirectory(root, nameOf("d"), { ...by, owner: 1, group: 0, mode: 0, clientModTime: 0 }), {
    code: "VOVERQUOTA",
  })
  const file = home.put(root, "3")
  t.throws(() => home.put(root, "4"), { code: "VOVERQUOTA" })
  const most = (5 + 1024 - 4) * 1024
  home.store(file, { length: most, fileLength: most }, new Uint8Array(most))
  t.is(volume.space.used, 5 + 1024)
  t.throws(() => home.store(file, { position: most, length: 1, fileLength: most + 1 }, bytes("x")), {
    code: "VOVERQUOTA",
  })
  home.store(file, { length: 0, fileLength: 0 })
  t.is(volume.space.used, 5)
  volume.removeFile(root, nameOf("3"), by)
  t.is(volume.space.used, 4)
  volume.setVolume({ maxQuota: 0 })
  home.put(root, "4")
})

test("quota: stores that run at the same time cannot all have the same room", async (t) => {
  const home = await attachedVolume(t, { a: "a", b: "b" }, { quota: 10 })
  const size = 1000 * 1024
  const request = storeOf({ length: size, fileLength: size })
  const first = await home.volume.beginStore(home.at("a"), request)
  t.throws(() => home.volume.beginStore(home.at("b"), request), { code: "VOVERQUOTA" })
  first.end()
  t.is(home.volume.space.used, 4)
  const second = await home.volume.beginStore(home.at("b"), request)
  second.end()
})

async function sharedVolume(t: Parameters<typeof attachedVolume>[0], tree: Parameters<typeof attachedVolume>[1]) {
  const home = await attachedVolume(t, tree)
  home.detach()
  const id = home.id + 2
  await backupVolume(standaloneContext([home.partition]), { partition: home.partition, id: home.id }, { id })
  home.attachAgain()
  return { home, clone: () => new TestVolume(home.partition, id, testCaches()) }
}

test("store: a file that a clone shares is copied first, and only once", async (t) => {
  const { home, clone } = await sharedVolume(t, { file: "0123456789" })
  const file = home.at("file")
  const { inode } = file
  home.store(file, { position: 2, length: 2, fileLength: 10 }, bytes("ab"))
  t.notDeepEqual(file.inode, inode)
  const copy = file.inode
  home.store(file, { position: 4, length: 2, fileLength: 10 }, bytes("cd"))
  t.deepEqual(file.inode, copy)
  t.is(home.text(file), "01abcd6789")
  const backup = clone()
  t.is(backup.text(backup.at("file")), "0123456789")
})

test("store: a large shared file is copied while others go on; its holes stay holes", async (t) => {
  const { home, clone } = await sharedVolume(t, { file: "start" })
  const size = 8 << 20
  const file = home.at("file")
  home.store(file, { position: size, length: 3, fileLength: size + 3 }, bytes("end"))
  home.detach()
  const context = standaloneContext([home.partition])
  await backupVolume(context, { partition: home.partition, id: home.id })
  home.attachAgain()
  const again = home.at("file")
  using _hold = await again.lock.write()
  const pending = home.volume.beginStore(again, storeOf({ position: 0, length: 1, fileLength: size + 3 }))
  t.true(pending instanceof Promise)
  home.put(home.root, "meanwhile", "written while it is copied")
  const store = await pending
  store.write(bytes("S"))
  store.end()
  t.is(home.text(again).slice(-3), "end")
  t.is(home.text(again).slice(0, 5), "Start")
  const backup = clone()
  t.is(backup.text(backup.at("file")).slice(0, 5), "start")
})

test("store: a copy that is interrupted leaves the file as it was, and no other file", async (t) => {
  const { home } = await sharedVolume(t, { file: { size: 3 << 20 } })
  const file = home.at("file")
  const before = home.content(file)
  let isWanted = true
  const ask = storeOf({ length: 1, fileLength: 3 << 20, isWanted: () => isWanted })
  const pending = home.volume.beginStore(file, ask)
  isWanted = false
  await t.throwsAsync(async () => pending, { code: "INTERRUPTED" })
  t.deepEqual(home.content(file), before)
  home.store(file, { length: 0, fileLength: 5 })
  t.is(file.length, 5)
})

// Files that transfers kept open filled the cache, and the next file that was opened was closed before it was used.
test("store: transfers that stand still leave files to open for everybody else, and there are so many and no more", async (t) => {
  const files = Object.fromEntries(Array.from({ length: 100 }, (_, index) => [`file ${index}`, `content ${index}`]))
  const { home } = await sharedVolume(t, files)
  const begin = (index: number) =>
    home.volume.beginStore(home.at(`file ${index}`), storeOf({ length: 1, fileLength: 9 }))
  const copied = Array.from({ length: 10 }, (_, index) => begin(index))
  const read = Array.from({ length: 22 }, (_, index) => home.volume.openData(home.at(`file ${20 + index}`)))
  t.throws(() => begin(50), { code: "VBUSY" })
  t.throws(() => home.volume.openData(home.at("file 50")), { code: "VBUSY" })
  for (let index = 0; index < 100; index++) t.is(home.text(home.at(`file ${index}`)), `content ${index}`)
  t.is(home.text(home.put(home.root, "new")), "")
  t.true(home.caches.dataFiles.size + copied.length <= 64)
  for (const data of read) data[Symbol.dispose]()
  for (const store of copied) (await store).end()
  home.store(home.at("file 50"), { length: 3, fileLength: 3 }, bytes("abc"))
  t.is(home.text(home.at("file 50")), "abc")
  t.false(home.caches.dataFiles.isFull)
})

test("store: a file that is removed meanwhile stays removed", async (t) => {
  const home = await attachedVolume(t, { file: "content" })
  const file = home.at("file")
  const store = await home.volume.beginStore(file, storeOf({ length: 3, fileLength: 7 }))
  store.write(bytes("abc"))
  home.volume.removeFile(home.root, nameOf("file"), by)
  t.throws(() => store.end(), { code: "VNOVNODE" })
  const next = home.put(home.root, "next", "of the same number")
  t.is(next.number, file.number)
  home.reopen()
  t.is(home.text(home.at("next")), "of the same number")
})

test("read: an open file can be read to its end after it was removed", async (t) => {
  const home = await attachedVolume(t, { file: "content" })
  const file = home.at("file")
  using data = home.volume.openData(file)
  home.volume.removeFile(home.root, nameOf("file"), by)
  const into = Buffer.alloc(20)
  t.is(data.read(into, 3), 4)
  t.is(into.toString("latin1", 0, 4), "tent")
})

test("read: directories are read as they were when they were opened, and end where they end", async (t) => {
  const home = await attachedVolume(t, { file: "content" })
  using data = home.volume.openData(home.root)
  const before = home.content(home.root)
  home.put(home.root, "new")
  const into = Buffer.alloc(3000)
  t.is(data.read(into, 0), 2048)
  t.deepEqual(into.subarray(0, 2048), before)
  t.is(data.read(into, 2048), 0)
  t.is(home.volume.read(home.root, into, 5000), 0)
})
