/** Damage that is met in one volume, and what is forgotten of it. */
import test from "ava"
import { inodeParts, specialInode } from "../../../common/partition/inode-number.ts"
import { InodeStore } from "../../../common/partition/inode-store.ts"
import { openPartition } from "../../../common/partition/partition.ts"
import type { Vnode } from "../../../common/vnode/vnode.ts"
import type { VnodeRecord } from "../../../common/vnode/vnode-record.ts"
import { recordOffset, vnodeRecordLayout } from "../../../common/vnode/vnode-record.ts"
import { tellsDamage } from "../../../common/volume/attached-volume.ts"
import { attachedVolume, by, nameOf, newVnode, storeOf, TestVolume, testCaches } from "../../support/attached.ts"
import { type CutDisk, cutDisk } from "../../support/cut-disk.ts"

const tree = { file: "content", other: "other", sub: { folder: { inner: "inner" } } }

/** Changes the record of a file behind the fileserver's back, while the volume is detached. */
function damage(home: TestVolume, path: string, change: (record: VnodeRecord) => Partial<VnodeRecord>): void {
  const { number } = home.at(path)
  home.detach()
  {
    using index = new InodeStore(home.partition, home.id).open(specialInode(home.id, "smallIndex"), "write")
    const bytes = new Uint8Array(vnodeRecordLayout.size)
    index.read(bytes, recordOffset(number))
    const record = vnodeRecordLayout.read(bytes)
    index.write(vnodeRecordLayout.encode({ ...record, ...change(record) }), recordOffset(number))
  }
  home.attachAgain()
}

const damages: readonly (readonly [string, (record: VnodeRecord) => Partial<VnodeRecord>, RegExp])[] = [
  ["a length that is not the file's", ({ lengthLow }) => ({ lengthLow: lengthLow + 1 }), /7 bytes, wanted 8/],
  ["another vnode's data file", ({ inodeLow }) => ({ inodeLow: inodeLow + 2 }), /inode .* wanted one of its own/],
  [
    "a data file that is not there",
    ({ inodeLow }) => ({ inodeLow: inodeLow + 3 * 2 ** 26 }),
    /no file, wanted a file|counts for nobody/,
  ],
  ["a parent that is none", () => ({ parent: 77 }), /parent 77, wanted a directory/],
]

for (const [what, change, message] of damages) {
  test(`damage: ${what} is said to be damage, and the rest of the volume is served on`, async (t) => {
    const home = await attachedVolume(t, tree)
    damage(home, "file", change)
    const file = home.at("file")
    const error = t.throws(() => {
      home.volume.accessListOf(file)
      home.content(file)
    })
    t.true(tellsDamage(error), `${error}`)
    t.regex(error?.message ?? "", message)
    t.is(home.text(home.at("other")), "other")
    home.put(home.root, "new", "served on")
  })
}

// Its data would have been written over another volume's, or lost at its next removal.
test("damage: a data file that the link table counts for nobody is not stored into", async (t) => {
  const home = await attachedVolume(t, tree)
  const file = home.at("file")
  home.detach()
  {
    using links = new InodeStore(home.partition, home.id).linkTable("write").file
    links.write(new Uint8Array(2), 8 + 2 * file.number)
  }
  home.attachAgain()
  const error = t.throws(() => home.volume.beginStore(home.at("file"), storeOf({ length: 1 })))
  t.true(tellsDamage(error))
  t.is(home.text(home.at("file")), "content")
})

test("vnodes are the same object while they are in core, and read again after they were forgotten", async (t) => {
  const home = await attachedVolume(t, tree)
  const file = home.at("file")
  t.is(home.at("file"), file)
  for (let count = 0; count < 300; count++) home.volume.createFile(home.at("sub"), nameOf(`f${count}`), newVnode())
  t.true(file.isGone)
  const again = home.at("file")
  t.not(again, file)
  t.deepEqual(again.record, file.record)
  t.is(home.volume.accessListOf(again).length, 192)
})

test("vnode numbers that no vnode can have are no such vnode", async (t) => {
  const home = await attachedVolume(t, tree)
  for (const number of [0, 0x3ff_ffff, 0xffff_ffff, 2 ** 31]) {
    t.throws(() => home.volume.vnode(number, 1), { code: "VNOVNODE" }, `${number}`)
  }
})

/** A volume whose fileserver leaves work until replies are gone, and that work. */
async function answering(t: Parameters<typeof attachedVolume>[0]): Promise<{ home: TestVolume; left: (() => void)[] }> {
  const left: (() => void)[] = []
  const caches = testCaches({ later: (work) => void left.push(work) })
  return { home: await attachedVolume(t, tree, { caches }), left }
}

/** Whether the data file that a vnode had is there, and how many use it. */
function dataOf({ partition, id }: TestVolume, vnode: Vnode): { isThere: boolean; count: number } {
  const store = new InodeStore(partition, id)
  const links = store.linkTable("read")
  using _file = links.file
  const isThere = store.stat(vnode.inode) !== undefined
  return { isThere, count: links.count(vnode.number, inodeParts(vnode.inode).tag) }
}

const kept = { isThere: true, count: 1 }
const gone = { isThere: false, count: 0 }

test("removed files: the name is gone with the reply, the data file after it", async (t) => {
  const { home, left } = await answering(t)
  const file = home.at("file")
  home.volume.removeFile(home.root, nameOf("file"), by)
  t.is(home.volume.lookup(home.root, nameOf("file")), undefined)
  t.deepEqual(dataOf(home, file), kept)
  t.is(left.length, 1)
  left[0]?.()
  t.deepEqual(dataOf(home, file), gone)
})

test("removed files: the next change finds their space and their tags free", async (t) => {
  const { home, left } = await answering(t)
  const file = home.at("file")
  home.volume.removeFile(home.root, nameOf("file"), by)
  const next = home.put(home.root, "next")
  t.deepEqual(dataOf(home, file), { ...gone, count: 1 })
  t.is(next.number, file.number)
  t.is(inodeParts(next.inode).tag, inodeParts(file.inode).tag)
  for (const work of left) work()
  t.deepEqual(dataOf(home, next), kept)
})

test("removed files: a store finds their space", async (t) => {
  const { home } = await answering(t)
  const file = home.at("file")
  home.volume.removeFile(home.root, nameOf("file"), by)
  home.store(home.at("other"), { length: 1, fileLength: 1 }, Buffer.from("x"))
  t.deepEqual(dataOf(home, file), gone)
})

test("removed files: a volume that is given away has none left", async (t) => {
  const { home, left } = await answering(t)
  const file = home.at("file")
  home.volume.removeFile(home.root, nameOf("file"), by)
  home.detach()
  t.deepEqual(dataOf(home, file), gone)
  for (const work of left) work()
  home.attachAgain()
  t.is(home.text(home.at("other")), "other")
})

test("removed files: one that cannot be removed breaks the volume, which is marked for a salvage", async (t) => {
  const whole = await attachedVolume(t, tree)
  whole.detach()
  // The first time tells which change of the disk it is that fails the second time.
  const work = (disk: CutDisk): TestVolume => {
    const home = new TestVolume(openPartition(whole.partition.path, disk), whole.id, testCaches({ later: () => {} }))
    home.put(home.root, "passing")
    home.volume.removeFile(home.root, nameOf("passing"), by)
    home.detach()
    return home
  }
  const tried = cutDisk()
  work(tried)
  const at = tried.history.findLastIndex((words) => words.startsWith("unlink")) + 1
  t.true(at > 0)
  const { attachment } = work(cutDisk({ at, how: "EIO" })).volume
  t.is(attachment.info.needsSalvaged, 1)
})
