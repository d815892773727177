import test from "ava"
import { FormatError } from "../../../common/error.ts"
import { specialInode } from "../../../common/partition/inode-number.ts"
import { InodeStore } from "../../../common/partition/inode-store.ts"
import type { Code } from "../../../common/protocol/codes.ts"
import { attachedVolume, by, nameOf, newVnode, now, type TestVolume } from "../../support/attached.ts"
import { infoOnDisk } from "../../support/served-volumes.ts"

const code = (wanted: Code): { code: Code } => ({ code: wanted })
const tree = { file: "content", sub: { folder: { inner: "inner" } }, empty: { folder: {} }, link: { link: "file" } }

test("names: what cannot be a name, and what exists, is refused in that order", async (t) => {
  const home = await attachedVolume(t, tree)
  const make = (name: string): unknown => home.volume.createFile(home.root, nameOf(name), newVnode())
  for (const name of ["", "a/b", "x@sys", "nul\0", "n".repeat(256)]) t.throws(() => make(name), code("EINVAL"), name)
  for (const name of [".", "..", "file", "sub"]) t.throws(() => make(name), code("EEXIST"), name)
  t.throws(() => home.volume.createFile(home.at("file"), nameOf("x"), newVnode()), code("ENOTDIR"))
  t.throws(() => home.volume.makeDirectory(home.at("link"), nameOf("a/b"), newVnode()), code("EINVAL"))
  t.notThrows(() => make("n".repeat(255)))
  t.notThrows(() => make("x@sysy"))
})

test("names: a new file has what was asked for, its directory's group, and version 0; a directory its parent's list", async (t) => {
  const home = await attachedVolume(t, tree)
  home.volume.setStatus(home.root, { group: 77, now })
  const file = home.volume.createFile(
    home.root,
    nameOf("new"),
    newVnode({ mode: 0o4640, owner: 5, author: 6, clientModTime: 9 }),
  )
  const { record } = file
  t.like(record, { mode: 0o4640, owner: 5, author: 6, group: 77, unixModifyTime: 9, serverModifyTime: now })
  t.like(record, { dataVersion: 0, linkCount: 1, parent: 1, lockCount: 0 })
  t.is(file.length, 0)
  const made = home.volume.makeDirectory(home.root, nameOf("made"), newVnode({ group: 3 }))
  t.like(made.record, { dataVersion: 0, linkCount: 2, group: 3 })
  t.is(made.length, 2048)
  t.deepEqual(made.accessList, home.root.accessList)
  t.deepEqual(home.volume.accessListOf(file), home.root.accessList)
  t.like(home.volume.lookup(made, nameOf("..")), { vnode: 1, unique: 1 })
  t.like(home.volume.lookup(made, nameOf(".")), { vnode: made.number, unique: made.unique })
})

test("names: every change of a directory raises its version by one and sets author and dates", async (t) => {
  const home = await attachedVolume(t, tree)
  const { volume, root } = home
  const changes: (() => unknown)[] = [
    () => volume.createFile(root, nameOf("a"), newVnode({ author: 42 })),
    () => volume.makeDirectory(root, nameOf("b"), newVnode({ author: 42 })),
    () => volume.makeSymlink(root, nameOf("c"), nameOf("target"), newVnode({ author: 42 })),
    () => volume.makeLink(root, nameOf("d"), home.at("file"), { author: 42, now }),
    () => volume.rename(root, nameOf("a"), root, nameOf("e"), { author: 42, now }),
    () => volume.removeFile(root, nameOf("e"), { author: 42, now }),
    () => volume.removeDirectory(root, nameOf("b"), { author: 42, now }),
  ]
  for (const change of changes) {
    const { dataVersion } = root
    change()
    t.is(root.dataVersion, dataVersion + 1)
    t.like(root.record, { author: 42, unixModifyTime: now, serverModifyTime: now })
  }
})

test("names: links are made of files only, within their directory; a removed one leaves the others", async (t) => {
  const home = await attachedVolume(t, tree)
  const { volume, root } = home
  const file = home.at("file")
  t.throws(() => volume.makeLink(root, nameOf("x"), home.at("sub"), by), code("EISDIR"))
  t.throws(() => volume.makeLink(root, nameOf("x"), home.at("link"), by), code("EISDIR"))
  t.throws(() => volume.makeLink(home.at("sub"), nameOf("x"), file, by), code("EXDEV"))
  t.throws(() => volume.makeLink(root, nameOf("file"), file, by), code("EEXIST"))
  volume.makeLink(root, nameOf("x"), file, by)
  t.like(file.record, { linkCount: 2, dataVersion: 1, author: by.author })
  t.deepEqual(volume.removeFile(root, nameOf("file"), by), { vnode: file, gone: false })
  t.is(home.text(home.at("x")), "content")
  t.deepEqual(volume.removeFile(root, nameOf("x"), by), { vnode: file, gone: true })
  t.true(file.isGone)
  t.throws(() => volume.vnode(file.number, file.unique), code("VNOVNODE"))
  t.throws(() => volume.setStatus(file, { mode: 0, now }), code("VNOVNODE"))
})

test("names: removal takes files and directories for what they are", async (t) => {
  const home = await attachedVolume(t, tree)
  const { volume, root } = home
  t.throws(() => volume.removeFile(root, nameOf("missing"), by), code("ENOENT"))
  t.throws(() => volume.removeFile(root, nameOf(""), by), code("ENOENT"))
  t.throws(() => volume.removeFile(root, nameOf("."), by), code("EINVAL"))
  t.throws(() => volume.removeFile(root, nameOf("sub"), by), code("EISDIR"))
  t.throws(() => volume.removeFile(home.at("file"), nameOf("x"), by), code("ENOTDIR"))
  t.throws(() => volume.removeDirectory(root, nameOf("file"), by), code("ENOTDIR"))
  t.throws(() => volume.removeDirectory(root, nameOf("sub"), by), code("EEXIST"))
  t.throws(() => volume.removeDirectory(root, nameOf(".."), by), code("EINVAL"))
  const links = root.record.linkCount
  volume.removeDirectory(root, nameOf("empty"), by)
  t.is(root.record.linkCount, links - 1)
  t.true(volume.removeFile(root, nameOf("link"), by).gone)
})

test("names: a freed number is given out again, with a uniquifier that nobody had", async (t) => {
  const home = await attachedVolume(t, tree)
  const first = home.put(home.root, "first")
  home.volume.removeFile(home.root, nameOf("first"), by)
  const second = home.put(home.root, "second")
  t.is(second.number, first.number)
  t.true(second.unique > first.unique)
  t.throws(() => home.volume.vnode(first.number, first.unique), code("VNOVNODE"))
})

test("names: VolumeInfo on disk is always ahead of the uniquifiers that were given out", async (t) => {
  const home = await attachedVolume(t)
  for (let index = 0; index < 450; index++) {
    const { unique } = home.put(home.root, `file ${index}`)
    t.true(infoOnDisk(home.partition, home.id).uniquifier > unique)
  }
  home.detach()
  t.is(infoOnDisk(home.partition, home.id).uniquifier, home.volume.attachment.nextUnique)
})

test("names: a mark that says the volume is sound is taken from disk before the first change", async (t) => {
  const home = await attachedVolume(t, tree)
  home.volume.attachment.write(home.partition, { dontSalvage: 0xe5 })
  home.volume.setLock(home.at("file"), "read", now)
  t.is(infoOnDisk(home.partition, home.id).dontSalvage, 0)
})

test("names: a name that leads nowhere is damage, not a missing file", async (t) => {
  const home = await attachedVolume(t, tree)
  const { number } = home.at("file")
  home.detach()
  clearRecord(home, number)
  home.attachAgain()
  const error = t.throws(() => home.volume.removeFile(home.root, nameOf("file"), by), { instanceOf: FormatError })
  t.regex(error?.message ?? "", new RegExp(`${number}\\.`))
})

function clearRecord({ partition, id }: TestVolume, number: number): void {
  using file = new InodeStore(partition, id).open(specialInode(id, "smallIndex"), "write")
  file.write(new Uint8Array(64), (number / 2) * 64)
}
