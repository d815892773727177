/** Something else than a file where a volume's special file or its header belongs. */
import { execFileSync } from "node:child_process"
import { lstatSync, mkdirSync, rmSync, symlinkSync } from "node:fs"
import { join } from "node:path"
import test from "ava"
import { specialInode } from "../../common/partition/inode-number.ts"
import { InodeStore } from "../../common/partition/inode-store.ts"
import { headerPath, openPartition } from "../../common/partition/partition.ts"
import { undoSalvage } from "../../salvager/salvage.ts"
import { partitionProblems } from "../support/partition-state.ts"
import { salvageAll, snapshot } from "../support/salvaged.ts"
import { makeSampleVolume, sampleId } from "../support/sample-volume.ts"
import { temporaryDirectory } from "../support/temporary-directory.ts"
import { newPartition } from "../support/volume-builder.ts"

const kinds = {
  pipe: (path: string) => execFileSync("mkfifo", [path]),
  folder: (path: string) => mkdirSync(path),
  device: (path: string) => symlinkSync("/dev/zero", path),
  nothing: (path: string) => symlinkSync("/nowhere", path),
} as const

const withoutOwn = (directory: string): Record<string, string> =>
  Object.fromEntries(Object.entries(snapshot(directory)).filter(([path]) => !path.startsWith(".dafs")))

// The salvage of the group failed with EEXIST, each time anew.
for (const [kind, put] of Object.entries(kinds))
  test(`foreign kinds: a ${kind} in the place of a special file or a header is put aside, and the file is made again; it comes back when the salvage is taken back`, async (t) => {
    for (const type of ["volumeInfo", "smallIndex", "largeIndex", "linkTable", "header"] as const) {
      const directory = join(temporaryDirectory(t), "vicepa")
      newPartition(directory)
      const partition = openPartition(directory)
      makeSampleVolume(partition, { files: { a: "one", b: "two" } })
      const path =
        type === "header"
          ? headerPath(partition, sampleId)
          : new InodeStore(partition, sampleId).path(specialInode(sampleId, type))
      rmSync(path)
      put(path)
      const before = withoutOwn(directory)
      const first = await salvageAll(directory, { undo: { seconds: 60, bytes: 2 ** 30 } })
      t.deepEqual(
        first.results.map(({ status }) => status),
        ["repaired"],
        type,
      )
      t.deepEqual(partitionProblems(directory), [], type)
      const second = await salvageAll(directory)
      t.deepEqual(
        second.results.map(({ status }) => status),
        ["clean"],
        type,
      )
      for (const { undo } of first.results)
        await undoSalvage(partition, undo ?? "", { program: "salvager", fileserver: undefined })
      t.deepEqual(withoutOwn(directory), before, type)
      t.is(put === kinds.folder, lstatSync(path).isDirectory())
    }
  })
