/** Damage that is met in one volume, and what is forgotten of it. */
import test from "ava"
import { specialInode } from "../../../common/partition/inode-number.ts"
import { InodeStore } from "../../../common/partition/inode-store.ts"
import type { VnodeRecord } from "../../../common/vnode/vnode-record.ts"
import { recordOffset, vnodeRecordLayout } from "../../../common/vnode/vnode-record.ts"
import { tellsDamage } from "../../../common/volume/attached-volume.ts"
import { attachedVolume, nameOf, newVnode, storeOf, type TestVolume } from "../../support/attached.ts"

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
