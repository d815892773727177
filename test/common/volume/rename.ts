import test from "ava"
import type { Code } from "../../../common/protocol/codes.ts"
import { attachedVolume, by, nameOf, type TestVolume } from "../../support/attached.ts"

const tree = {
  file: "file",
  twin: "linked",
  second: { sameAs: "twin" },
  sub: { folder: { inner: "inner", lower: { folder: { leaf: "leaf" } } } },
  full: { folder: { thing: "thing" } },
  empty: { folder: {} },
}

const renameIn = (home: TestVolume, from: string, oldName: string, to: string, newName: string): unknown =>
  home.volume.rename(home.at(from), nameOf(oldName), home.at(to), nameOf(newName), by)

const refusals: readonly (readonly [string, string, string, string, Code])[] = [
  ["", "file", "", "a/b", "EINVAL"],
  ["", "file", "", "x@sys", "EINVAL"],
  ["", ".", "", "x", "EINVAL"],
  ["", "", "", "x", "EINVAL"],
  ["", "file", "", "..", "EINVAL"],
  ["", "file", "file", "x", "ENOTDIR"],
  ["file", "x", "", "x", "ENOTDIR"],
  ["", "missing", "", "x", "ENOENT"],
  ["", "sub", "sub", "x", "ELOOP_QUIRK"],
  ["", "sub", "sub/lower", "x", "ELOOP_QUIRK"],
  ["", "twin", "sub", "x", "EXDEV"],
  ["", "file", "", "file", "EINVAL"],
  ["", "twin", "", "second", "EINVAL"],
  ["sub", "inner", "", "sub", "EINVAL"],
  ["", "file", "", "empty", "EISDIR"],
  ["", "empty", "", "full", "EEXIST"],
  ["", "empty", "", "file", "ENOTDIR"],
]

test("rename: what cannot be renamed is refused with the code that OpenAFS has for it, and nothing changes", async (t) => {
  const home = await attachedVolume(t, tree)
  const version = home.root.dataVersion
  for (const [from, oldName, to, newName, code] of refusals) {
    t.throws(() => renameIn(home, from, oldName, to, newName), { code }, `${from}/${oldName} to ${to}/${newName}`)
  }
  t.is(home.root.dataVersion, version)
})

test("rename: in one directory the object's own record stays as it is", async (t) => {
  const home = await attachedVolume(t, tree)
  const file = home.at("file")
  const { record } = file
  renameIn(home, "", "file", "", "new")
  t.is(home.at("new"), file)
  t.is(file.record, record)
  t.throws(() => home.at("file"))
})

test("rename: a file of another directory has another parent; its data and version stay", async (t) => {
  const home = await attachedVolume(t, tree)
  const file = home.at("file")
  t.like(renameIn(home, "", "file", "sub", "new"), { moved: file, replaced: undefined, changedParents: false })
  t.like(file.record, { parent: home.at("sub").number, dataVersion: 1, serverModifyTime: by.now })
  t.is(home.text(home.at("sub/new")), "file")
})

test("rename: a directory takes its link to the new parent, and its `..` leads there", async (t) => {
  const home = await attachedVolume(t, tree)
  const [root, sub, lower, full] = [home.root, home.at("sub"), home.at("sub/lower"), home.at("full")]
  const before = { sub: sub.record.linkCount, full: full.record.linkCount, version: lower.dataVersion }
  t.like(renameIn(home, "sub", "lower", "full", "moved"), { moved: lower, changedParents: true })
  t.is(sub.record.linkCount, before.sub - 1)
  t.is(full.record.linkCount, before.full + 1)
  t.is(lower.dataVersion, before.version + 1)
  t.is(home.volume.lookup(lower, nameOf(".."))?.vnode, full.number)
  t.is(home.text(home.at("full/moved/leaf")), "leaf")
  t.is(home.volume.parentOf(lower), full)
  t.is(root.record.linkCount, 5)
})

test("rename: what had the new name goes; a file with other names loses one", async (t) => {
  const home = await attachedVolume(t, tree)
  const [twin, thing] = [home.at("twin"), home.at("full/thing")]
  t.like(renameIn(home, "", "file", "", "twin"), { replaced: { vnode: twin, gone: false } })
  t.is(twin.record.linkCount, 1)
  t.is(home.text(home.at("second")), "linked")
  t.like(renameIn(home, "", "twin", "full", "thing"), { replaced: { vnode: thing, gone: true } })
  t.is(home.text(home.at("full/thing")), "file")
  t.true(thing.isGone)
})

// OpenAFS leaves the replaced directory's vnode behind, and its parent's link count too high.
test("rename: an empty directory that is replaced goes completely", async (t) => {
  const home = await attachedVolume(t, tree)
  const empty = home.at("empty")
  const links = home.root.record.linkCount
  renameIn(home, "", "full", "", "empty")
  t.is(home.root.record.linkCount, links - 1)
  t.true(empty.isGone)
  renameIn(home, "sub", "lower", "", "again")
  t.is(home.root.record.linkCount, links)
})
