import test from "ava"
import { type MetadataWriteKind, stageOf } from "../../../common/volume/metadata-write.ts"

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
