import { join } from "node:path"
import test from "ava"
import { dumpSource, manyFiles, sampleTree, treeDump } from "../support/dump-builder.ts"
import { describeTree, readPartitionState } from "../support/partition-state.ts"
import { temporaryDirectory } from "../support/temporary-directory.ts"
import { newPartition, volumeOf } from "../support/volume-builder.ts"

test("dump builder: a restored tree is sound, and has every name, link and content", async (t) => {
  const directory = join(temporaryDirectory(t), "vicepa")
  const id = await volumeOf(newPartition(directory, "development"), "sample", sampleTree)
  const state = readPartitionState(directory)
  t.deepEqual(state.problems, [])
  const volume = state.volumes.get(id)
  t.truthy(volume)
  const tree = volume === undefined ? {} : describeTree(volume)
  t.is(Object.keys(tree).length, 17)
  t.regex(tree["/second"] ?? "", /^file .* links 2 /)
  t.is(tree["/second"], tree["/first"])
  t.regex(tree["/sub"] ?? "", /acl -204:127 1001:9\|1002:8$/)
  t.regex(tree["/executable"] ?? "", /mode 755 links 1 owner 1001:0/)
  t.regex(tree["/mount"] ?? "", /^link .* mode 644 /)
  t.regex(tree["/empty file"] ?? "", /length 0 /)
  t.regex(tree["/big"] ?? "", /length 300000 /)
})

test("dump builder: the same tree gives the same bytes, and its source gives them in any pieces", (t) => {
  const bytes = treeDump(sampleTree)
  t.deepEqual(treeDump(sampleTree), bytes)
  const source = dumpSource(bytes)
  const piece = new Uint8Array(1000)
  const got: Uint8Array[] = []
  for (let count = source.read(piece); count > 0; count = source.read(piece)) got.push(piece.slice(0, count))
  t.deepEqual(Buffer.concat(got), bytes)
})

test("dump builder: many files are many files", async (t) => {
  const directory = join(temporaryDirectory(t), "vicepa")
  const id = await volumeOf(newPartition(directory, "development"), "many", manyFiles(250, 10))
  const volume = readPartitionState(directory).volumes.get(id)
  t.is(volume?.vnodes.size, 1 + 3 + 250)
})
