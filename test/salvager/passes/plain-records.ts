import test from "ava"
import { dataInode } from "../../../common/partition/inode-number.ts"
import { lengthHalves, newVnodeRecord, vnodeRecordLayout, vnodeTypes } from "../../../common/vnode/vnode-record.ts"
import { DataFiles } from "../../../salvager/data-files.ts"
import { matchPlainRecords } from "../../../salvager/passes/plain-records.ts"
import { VnodeTable } from "../../../salvager/vnode-table.ts"

type Fields = Parameters<typeof newVnodeRecord>[1]

const length = 2 ** 32 + 5
const version = 7

/** Vnodes 3, 4 and 6, whose data files are there; of 4 there are versions with the tags 0 and 2. */
function dataFiles(): DataFiles {
  const files = new DataFiles()
  for (const [vnode, tag] of [
    [6, 0],
    [4, 0],
    [4, 2],
    [3, 0],
  ] as const)
    files.scanned.add(vnode, 10 * vnode, tag, length, version)
  files.sort()
  return files
}

function tableOf(records: Readonly<Record<number, Fields>>): VnodeTable {
  const table = new VnodeTable()
  for (const vnode of [3, 4, 6]) {
    const cls = vnode === 3 ? "large" : "small"
    const { high: inodeHigh, low: inodeLow } = dataInode(vnode, 10 * vnode, vnode === 4 ? 2 : 0)
    const type = cls === "large" ? vnodeTypes.directory : vnodeTypes.file
    const plain = { type, uniquifier: 10 * vnode, ...lengthHalves(length), dataVersion: version, inodeHigh, inodeLow }
    table.add(vnode, vnodeRecordLayout.encode(newVnodeRecord(cls, { ...plain, ...records[vnode] })), -1)
  }
  return table
}

const inDoubt = (table: VnodeTable): number[] => [...table.inDoubt()].map((slot) => table.vnode(slot))

test("plain records: what agrees with its data file gets it, and is in doubt no more", (t) => {
  const [files, table] = [dataFiles(), tableOf({})]
  matchPlainRecords(files, table)
  t.deepEqual(inDoubt(table), [])
  for (const [vnode, tag] of [
    [3, 0],
    [4, 2],
    [6, 0],
  ] as const) {
    const file = table.file(table.find(vnode))
    t.deepEqual([files.vnode(file), files.tag(file), files.users(file)], [vnode, tag, 1])
  }
  t.is(files.users(files.find(4, 40, 0)), 0)
})

const faults: readonly (readonly [number, Fields])[] = [
  [4, { magic: 1 }],
  [4, { uniquifier: 41 }],
  [4, { lengthLow: 6 }],
  [4, { lengthHigh: 0 }],
  [4, { dataVersion: version - 1 }],
  [4, { type: vnodeTypes.directory }],
  [4, { type: 7 }],
  [4, { type: vnodeTypes.symlink, mode: 0o644 }],
  [4, { lockCount: -2 }],
  [4, { inodeHigh: 41 }],
  [4, dataFields(6, 60, 0)],
  [4, dataFields(4, 40, 1)],
  [4, { inodeLow: (dataInode(4, 40, 2).low | 0x8000_0000) >>> 0 }],
  [3, { type: vnodeTypes.file }],
  [3, { magic: newVnodeRecord("small", {}).magic }],
]

function dataFields(vnode: number, unique: number, tag: number): Fields {
  const { high: inodeHigh, low: inodeLow } = dataInode(vnode, unique, tag)
  return { inodeHigh, inodeLow }
}

for (const [vnode, fields] of faults)
  test(`plain records: vnode ${vnode} with ${JSON.stringify(fields)} stays in doubt and uses no file, others do not`, (t) => {
    const [files, table] = [dataFiles(), tableOf({ [vnode]: fields })]
    matchPlainRecords(files, table)
    t.deepEqual(inDoubt(table), [vnode])
    t.is(table.file(table.find(vnode)), -1)
    t.is(files.users(0) + files.users(1) + files.users(2) + files.users(3), 2)
  })

test("plain records: a symbolic link that may be executed, and a later version in the record, are as they should be", (t) => {
  const table = tableOf({ 4: { type: vnodeTypes.symlink, mode: 0o755 }, 6: { dataVersion: 99, lockCount: -1 } })
  matchPlainRecords(dataFiles(), table)
  t.deepEqual(inDoubt(table), [])
})
