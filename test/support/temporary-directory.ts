/** Folders that vanish with the test that asked for them. */
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import type { ExecutionContext } from "ava"

/**
 * A new empty folder, readable by its owner only, removed with all in it when the test ends. It is on a file system
 * with holes and byte locks: that of DAFS_TMP, or of the system's temporary files.
 */
export function temporaryDirectory(t: Pick<ExecutionContext, "teardown">): string {
  const directory = makeTemporaryDirectory()
  t.teardown(() => rmSync(directory, { recursive: true, force: true }))
  return directory
}

/** The same for those who remove it themselves (hooks, programs). */
export function makeTemporaryDirectory(): string {
  return mkdtempSync(join(process.env["DAFS_TMP"] ?? tmpdir(), "dafs-test-"))
}
