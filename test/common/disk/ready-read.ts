import { closeSync, fsyncSync, openSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { setTimeout } from "node:timers/promises"
import test from "ava"
import { nodeDisk } from "../../../common/disk/node-disk.ts"
import { readyRead } from "../../../common/disk/ready-read.ts"
import { type Libc, openLibc } from "../../../common/system/libc.ts"
import { seededRandom } from "../../support/random.ts"
import { temporaryDirectory } from "../../support/temporary-directory.ts"

const size = 300_000

/** Asks the kernel to drop a file's pages, and reads. It keeps those that somebody holds at the moment: asked again a while. */
async function readWithoutCache(libc: Libc, descriptor: number, into: Uint8Array) {
  const dontNeed = 4
  const advise = libc.find("posix_fadvise", "int", ["int", "int64", "int64", "int"])
  for (let tries = 0; ; tries++) {
    fsyncSync(descriptor)
    advise(descriptor, 0, 0, dontNeed)
    const answer = readyRead(descriptor, into, 0)
    if (answer === "pending" || tries === 100) return answer
    await setTimeout(20)
  }
}

test("ready read: what is in the page cache comes at once and right; of a file without cache nothing comes", async (t) => {
  const path = join(temporaryDirectory(t, "disk"), "f")
  const content = seededRandom(t).bytes(size)
  writeFileSync(path, content)
  const descriptor = openSync(path, "r+")
  t.teardown(() => closeSync(descriptor))
  const into = new Uint8Array(size + 100)
  const answer = readyRead(descriptor, into, 0)
  const libc = openLibc()
  if (libc === undefined || answer === "unknown") return t.is(answer, "unknown")
  t.is(answer, size)
  t.is(Buffer.compare(into.subarray(0, size), content), 0)
  t.is(readyRead(descriptor, into, size), 0)
  t.is(await readWithoutCache(libc, descriptor, into), "pending")
})

test("ready read: a descriptor that cannot be read has nothing at hand, and never looks like the end of a file", (t) => {
  t.is(readyRead(-1, new Uint8Array(1), 0), openLibc() === undefined ? "unknown" : "pending")
})

test("ready read: a file in memory is always ready, since there is no disk to wait for", (t) => {
  const folder = temporaryDirectory(t)
  const path = join(folder, "f")
  writeFileSync(path, "abc")
  using file = nodeDisk.open(path, "read")
  const into = new Uint8Array(5)
  const count = file.readReady(into, 1)
  if (folder.startsWith("/dev/shm") && openLibc() !== undefined) t.is(count, 2)
  else t.true(count === 2 || count === undefined)
})
