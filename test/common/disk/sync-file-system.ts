import test from "ava"
import { DiskError } from "../../../common/disk/disk.ts"
import { syncFileSystem } from "../../../common/disk/sync-file-system.ts"
import { temporaryDirectory } from "../../support/temporary-directory.ts"

test("sync of a file system: succeeds on a folder, and fails where there is nothing to sync or nobody to do it", async (t) => {
  const directory = temporaryDirectory(t)
  await t.notThrowsAsync(syncFileSystem(directory))
  const nothing = await t.throwsAsync(syncFileSystem(`${directory}/none`), { instanceOf: DiskError })
  t.is(nothing.path, `${directory}/none`)
  const nobody = await t.throwsAsync(syncFileSystem(directory, `${directory}/sync`), { instanceOf: DiskError })
  t.is(nobody.code, "ENOENT")
})
