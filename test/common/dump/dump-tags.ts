import test from "ava"
import {
  dumpHeaderAttributes,
  dumpSections,
  newDumpVnode,
  newDumpVolumeHeader,
  sectionTagMax,
  vnodeAttributes,
  volumeHeaderAttributes,
} from "../../../common/dump/dump-tags.ts"

const letters = (table: Readonly<Record<string, { readonly tag: number }>>): string =>
  Object.values(table)
    .map((row) => String.fromCharCode(row.tag))
    .join("")

test("dump tags: attributes have the letters and the order of vos dump", (t) => {
  t.is(letters(dumpHeaderAttributes), "vnt")
  t.is(letters(volumeHeaderAttributes), "ivnsbutpcqmdfaoCAUEBOMWDZ")
  t.is(letters(vnodeAttributes), "tlvmaogbps")
})

test("dump tags: a tag means one attribute in its section, and none looks like a section", (t) => {
  for (const table of [dumpHeaderAttributes, volumeHeaderAttributes, vnodeAttributes]) {
    const tags = Object.values(table).map((row) => row.tag)
    t.is(new Set(tags).size, tags.length)
    t.true(tags.every((tag) => tag > sectionTagMax && tag < 0x80))
  }
  t.true(Object.values(dumpSections).every((tag) => tag <= sectionTagMax))
})

test("dump tags: what is not given is 0 or empty, for every attribute there is", (t) => {
  const header = newDumpVolumeHeader({ name: "v", weekUse: [1, 2, 3, 4, 5, 6, 7] })
  t.deepEqual(Object.keys(header).sort(), Object.keys(volumeHeaderAttributes).sort())
  t.deepEqual([header.name, header.id, header.message, header.weekUse[6]], ["v", 0, "", 7])
  const vnode = newDumpVnode(2, 3, { mode: 0o644 })
  t.deepEqual(
    Object.keys(vnode).sort(),
    ["accessList", "dataLength", "unique", "vnode", ...Object.keys(vnodeAttributes)].sort(),
  )
  t.deepEqual([vnode.vnode, vnode.unique, vnode.mode, vnode.owner, vnode.dataLength], [2, 3, 0o644, 0, undefined])
})
