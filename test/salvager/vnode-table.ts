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

test("vnode table: a vnode is settled in the directory that its record names, by its first name there", (t) => {
  const table = new VnodeTable()
  for (const vnode of [2, 4, 6, 8]) {
    const slot = table.add(vnode, record({ uniquifier: 10 * vnode, parent: 1, linkCount: vnode === 8 ? 2 : 1 }), 0)
    if (vnode !== 6) table.mark(slot, "plain")
  }
  t.deepEqual(
    [table.settleIn(3, 2, 20), table.settleIn(1, 2, 21), table.settleIn(1, 6, 60), table.settleIn(1, 8, 80)],
    [false, false, false, false], // another directory, another uniquifier, not plain, two links
  )
  t.is(table.holder(table.find(2)), 0)
  t.true(table.settleIn(1, 2, 20))
  t.true(table.settleIn(1, 4, 40))
  t.false(table.settleIn(1, 4, 40)) // a second name
  t.deepEqual([table.holder(0), table.names(0)], [1, 1])
  t.deepEqual([...table.inDoubt()], [2, 3])
})

test("vnode table: whatever is planned for a settled vnode puts it in doubt again", (t) => {
  const changes: ((table: VnodeTable) => void)[] = [
    (table) => table.change(0, { mode: 0 }),
    (table) => table.setFile(0, 5),
    (table) => table.mark(0, "contested"),
    (table) => table.setHolder(0, 1, 2),
    (table) => table.setHolder(0, 3, 1),
    (table) => void table.add(2, record({}), 0),
    (table) => table.doubtAll(),
  ]
  for (const change of changes) {
    const table = new VnodeTable()
    table.mark(table.add(2, record({ uniquifier: 20, parent: 1, linkCount: 1 }), 0), "plain")
    t.true(table.settleIn(1, 2, 20))
    t.deepEqual([...table.inDoubt()], [])
    change(table)
    t.deepEqual([...table.inDoubt()], [0], String(change))
  }
})

test("vnode table: freed records are passed by, but for those who ask for them too, and are not counted", (t) => {
  const table = new VnodeTable()
  for (const vnode of [2, 4]) table.add(vnode, record({}), 0)
  table.mark(0, "freed")
  table.mark(0, "freed")
  t.deepEqual([[...table.inDoubt()], table.nextInDoubt(-1), table.liveCount], [[1], 0, 1])
  table.add(2, record({}), 0)
  t.is(table.liveCount, 2)
})
