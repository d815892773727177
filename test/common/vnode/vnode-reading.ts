import { writeFileSync } from "node:fs"
import { join } from "node:path"
import test, { type ExecutionContext } from "ava"
import { nodeDisk } from "../../../common/disk/node-disk.ts"
import { FormatError } from "../../../common/error.ts"
import { encodeRecord } from "../../../common/vnode/vnode-index.ts"
import { readRecord } from "../../../common/vnode/vnode-reading.ts"
import { newVnodeRecord, recordOffset, type VnodeClass, type VnodeRecord } from "../../../common/vnode/vnode-record.ts"
import { temporaryDirectory } from "../../support/temporary-directory.ts"

/** An index that holds one record. */
function indexWith(t: ExecutionContext, cls: VnodeClass, vnode: number, fields: Partial<VnodeRecord>) {
  const path = join(temporaryDirectory(t), "index")
  const list = new Uint8Array(192).fill(7)
  const bytes = encodeRecord(cls, newVnodeRecord(cls, fields), list)
  writeFileSync(path, Buffer.concat([Buffer.alloc(recordOffset(vnode)), bytes]))
  const file = nodeDisk.open(path, "read")
  t.teardown(() => file.close())
  return file
}

test("vnode reading: a directory comes with its access list, others without", (t) => {
  const large = indexWith(t, "large", 5, { type: 2, uniquifier: 8 })
  t.like(readRecord(large, 5)?.record, { type: 2, uniquifier: 8 })
  t.deepEqual(readRecord(large, 5)?.accessList, new Uint8Array(192).fill(7))
  t.is(readRecord(indexWith(t, "small", 4, { type: 1 }), 4)?.accessList, undefined)
})

test("vnode reading: what is read stays as it was when the next one is read", (t) => {
  const large = indexWith(t, "large", 5, { type: 2 })
  const list = readRecord(large, 5)?.accessList
  readRecord(indexWith(t, "large", 5, { type: 2, owner: 3 }), 3)
  t.deepEqual(list, new Uint8Array(192).fill(7))
})

test("vnode reading: free slots, numbers behind the end, and numbers that no vnode has, are nothing", (t) => {
  const small = indexWith(t, "small", 4, { type: 1 })
  for (const vnode of [0, 2, 6, 1_000_000, 0x3ff_ffff, 0xffff_fffe])
    t.is(readRecord(small, vnode), undefined, `${vnode}`)
})

test("vnode reading: a wrong magic, and a type that is not of this index, is damage that says where", (t) => {
  const damaged: readonly (readonly [VnodeClass, number, Partial<VnodeRecord>, RegExp])[] = [
    ["small", 4, { type: 1, magic: 5 }, /vnode 4 record.*offset 164.*magic|vnode 4 record.*offset.*0x5/],
    ["small", 4, { type: 2 }, /type 2, wanted a file/],
    ["small", 4, { type: 5 }, /type 5/],
    ["large", 5, { type: 1 }, /type 1, wanted a directory/],
  ]
  for (const [cls, vnode, fields, message] of damaged) {
    t.throws(() => readRecord(indexWith(t, cls, vnode, fields), vnode), { instanceOf: FormatError, message })
  }
})
