import test from "ava"
import { dataInode } from "../../../common/partition/inode-number.ts"
import {
  endOfRun,
  inStages,
  type MetadataWrite,
  type MetadataWriteKind,
  stageOf,
} from "../../../common/volume/metadata-write.ts"
import { unorderedWrites } from "../../support/unordered-writes.ts"

const low = dataInode(2, 2, 0)
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

test("metadata write: kinds are applied in the order of their stages, and equals in the order given", (t) => {
  const ordered = inStages(unorderedWrites)
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
