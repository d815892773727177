import test from "ava"
import { dataInode, specialInode } from "../../../common/partition/inode-number.ts"
import {
  endOfRun,
  inStages,
  type MetadataWrite,
  type MetadataWriteKind,
  stageOf,
} from "../../../common/volume/metadata-write.ts"

const before = (earlier: MetadataWriteKind, later: MetadataWriteKind): boolean => stageOf[earlier] < stageOf[later]

test("metadata write: a count is raised before anything can point to its file, and lowered when nothing does", (t) => {
  for (const points of ["write", "header"] as const) {
    t.true(before("claim", points))
    t.true(before(points, "count"))
    t.true(before(points, "release"))
  }
})

test("metadata write: what is pointed to exists before what points, and goes after it", (t) => {
  for (const makes of ["create", "link", "owner"] as const) t.true(before(makes, "write"))
  t.true(before("write", "header"))
  t.true(before("write", "release"))
  t.true(before("truncate", "release"))
  t.true(before("write", "unlink"))
})

test("metadata write: the link table outlives what it counts, and a header file goes last", (t) => {
  t.true(before("release", "leaveGroup"))
  t.true(before("unlink", "leaveGroup"))
  for (const kind of Object.keys(stageOf) as MetadataWriteKind[]) {
    if (kind !== "removeHeader") t.true(before(kind, "removeHeader"), kind)
  }
})

const low = dataInode(2, 2, 0)
const plainWrites: readonly MetadataWrite[] = [
  { kind: "removeHeader", volume: 9 },
  { kind: "leaveGroup" },
  { kind: "unlink", inode: specialInode(9, "volumeInfo") },
  { kind: "release", inode: low },
  { kind: "count", vnode: 4, tag: 0, count: 1 },
  { kind: "header", volume: 8, bytes: new Uint8Array(76), replace: false },
  { kind: "truncate", inode: specialInode(8, "smallIndex"), size: 8 },
  { kind: "write", inode: specialInode(8, "smallIndex"), offset: 0, bytes: new Uint8Array(8) },
  { kind: "owner", inode: specialInode(8, "smallIndex"), parameter: 8, number: 2 },
  { kind: "link", from: specialInode(9, "smallIndex"), to: specialInode(8, "smallIndex") },
  { kind: "create", inode: low, parameter: 0 },
  { kind: "claim", vnode: 2, tag: 0, delta: 1 },
]

test("metadata write: kinds are applied in the order of their stages, and equals in the order given", (t) => {
  const ordered = inStages(plainWrites)
  t.deepEqual(
    ordered.map(({ kind }) => kind),
    [
      "claim",
      "create",
      "owner",
      "link",
      "write",
      "truncate",
      "header",
      "count",
      "release",
      "unlink",
      "leaveGroup",
      "removeHeader",
    ],
  )
  const writes = [3, 1, 2].map((offset) => ({ kind: "write", inode: low, offset, bytes: new Uint8Array(1) }) as const)
  t.deepEqual(inStages([{ kind: "leaveGroup" }, ...writes]), [...writes, { kind: "leaveGroup" }])
  t.true(stageOf.claim < stageOf.create && stageOf.write < stageOf.header && stageOf.count < stageOf.release)
})

test("metadata write: those of one kind that stand together are a run", (t) => {
  const kinds = (list: readonly MetadataWrite[]): number[] => {
    const ends: number[] = []
    for (let start = 0; start < list.length; start = endOfRun(list, start)) ends.push(endOfRun(list, start))
    return ends
  }
  const write = { kind: "write", inode: low, offset: 0, bytes: new Uint8Array(1) } as const
  t.deepEqual(kinds([write, write, { kind: "release", inode: low }, write]), [2, 3, 4])
  t.deepEqual(kinds([]), [])
})
