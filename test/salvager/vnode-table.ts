import test from "ava"
import { newVnodeRecord, vnodeRecordLayout } from "../../common/vnode/vnode-record.ts"
import { VnodeTable } from "../../salvager/vnode-table.ts"

const record = (fields: Parameters<typeof newVnodeRecord>[1]) =>
  vnodeRecordLayout.encode(newVnodeRecord("small", fields))

test("vnode table: records come back as they were put in, with the changes that are planned", (t) => {
  const table = new VnodeTable()
  for (let vnode = 2; vnode < 2000; vnode += 2)
    table.add(vnode, record({ uniquifier: vnode * 3, parent: vnode + 1, linkCount: -vnode, type: 3 }), vnode)
  const slot = table.find(1000)
  t.deepEqual(
    [
      table.vnode(slot),
      table.unique(slot),
      table.parent(slot),
      table.linkCount(slot),
      table.isSymlink(slot),
      table.file(slot),
    ],
    [1000, 3000, 1001, -1000, true, 1000],
  )
  table.change(slot, { mode: 0o640, linkCount: 2 })
  t.deepEqual([table.record(slot).mode, table.linkCount(slot), table.has(slot, "changed")], [0o640, 2, true])
  t.is(table.find(1001), -1)
})

test("vnode table: a freed record is not found; another can take its place", (t) => {
  const table = new VnodeTable()
  table.mark(table.add(2, record({ uniquifier: 5 }), 0), "freed")
  t.is(table.find(2), -1)
  t.deepEqual([...table.live()], [])
  const slot = table.add(2, record({ uniquifier: 6 }), 1)
  t.deepEqual([table.find(2), table.unique(slot), table.has(slot, "freed"), table.count], [slot, 6, false, 1])
})

test("vnode table: directories are told by their vnode number", (t) => {
  const table = new VnodeTable()
  for (const vnode of [1, 2, 3, 4]) table.add(vnode, record({}), -1)
  t.deepEqual(
    [...table.directories()].map((slot) => table.vnode(slot)),
    [1, 3],
  )
})

test("vnode table: room that was made beforehand changes nothing, also where it was too little", (t) => {
  for (const room of [0, 10, 333, 1000]) {
    const table = new VnodeTable()
    table.reserve(room)
    for (let vnode = 1; vnode <= 400; vnode++) table.add(vnode, record({ uniquifier: vnode }), vnode)
    table.reserve(room)
    for (let vnode = 1; vnode <= 400; vnode++) t.is(table.unique(table.find(vnode)), vnode)
    t.is([...table.live()].length, 400)
    t.is([...table.directories()].length, 200)
  }
})

test("vnode table: records that are added as they lie in an index are those that are added one by one", (t) => {
  const small = Buffer.concat([5, 6, 7].map((uniquifier) => record({ uniquifier })))
  const large = Buffer.alloc(2 * 256)
  for (const index of [0, 1])
    large.set(vnodeRecordLayout.encode(newVnodeRecord("large", { uniquifier: 20 + index })), 256 * index)
  for (const room of [0, 100]) {
    const table = new VnodeTable()
    table.reserve(room)
    table.addRun(3, large)
    table.addRun(100, small)
    t.deepEqual(
      [3, 5, 100, 102, 104, 101].map((vnode) => table.unique(table.find(vnode))),
      [20, 21, 5, 6, 7, 0],
    )
    t.deepEqual(
      [...table.live()].map((slot) => `${table.vnode(slot)} ${table.file(slot)}`),
      ["3 -1", "5 -1", "100 -1", "102 -1", "104 -1"],
    )
    t.deepEqual([...table.directories()], [0, 1])
  }
})
