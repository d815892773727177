/** Folders that vanish with the test that asked for them. */
import { mkdtempSync, rmSync, statfsSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import type { ExecutionContext } from "ava"

const memory = "/dev/shm"
const tmpfs = 0x0102_1994
const memoryWanted = 4 * 2 ** 30

/** True if files in memory are to be had, with room for all that the tests of a run make at a time. */
function hasMemory(): boolean {
  try {
    const facts = statfsSync(memory)
    return facts.type === tmpfs && facts.bavail * facts.bsize >= memoryWanted
  } catch {
    return false
  }
}

/**
 * Tests make and remove tens of thousands of small files, which ext4 is slow at: it does not give out the inodes of files
 * that were removed in the last minutes, and looks at each of them. So files in memory are preferred where there is room.
 */
const root = process.env["DAFS_TMP"] ?? (hasMemory() ? memory : tmpdir())

/** Where a folder is to be: `disk` for gigabytes of content, or where a real file system is the point. */
export type Place = "anywhere" | "disk"

/**
 * A new empty folder, for its owner only, removed with all in it when the test ends. Byte locks, holes, owners and
 * sockets work in it.
 */
export function temporaryDirectory(t: Pick<ExecutionContext, "teardown">, place: Place = "anywhere"): string {
  const directory = makeTemporaryDirectory(place)
  inUse.add(directory)
  t.teardown(() => remove(directory))
  return directory
}

const inUse = new Set<string>()
process.once("exit", () => inUse.forEach(remove)) // of tests that never ended

function remove(directory: string): void {
  inUse.delete(directory)
  rmSync(directory, { recursive: true, force: true })
}

/** The same for those who remove it themselves (hooks, programs). */
export function makeTemporaryDirectory(place: Place = "anywhere"): string {
  return mkdtempSync(join(place === "disk" ? (process.env["DAFS_TMP"] ?? tmpdir()) : root, "dafs-test-"))
}
