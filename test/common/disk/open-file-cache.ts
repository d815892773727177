import { existsSync, readdirSync, readlinkSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import test from "ava"
import type { DiskFile } from "../../../common/disk/disk.ts"
import { nodeDisk } from "../../../common/disk/node-disk.ts"
import { type FileOwner, OpenFileCache } from "../../../common/disk/open-file-cache.ts"
import { temporaryDirectory } from "../../support/temporary-directory.ts"

const owner = (): FileOwner => ({ openFile: undefined })

interface Spied extends FileOwner {
  readonly file: DiskFile
  readonly calls: string[]
}

/** A file that notes when it is synced and closed. */
function spied(syncError?: Error): Spied {
  const calls: string[] = []
  const file = {
    path: "spied",
    descriptor: -1,
    close: () => void calls.push("close"),
    sync: () => void calls.push("sync"),
    async syncLater() {
      calls.push("syncLater")
      if (syncError !== undefined) throw syncError
    },
  }
  return { ...owner(), file: file as unknown as DiskFile, calls }
}

const cacheOf = (limit: number, errors: unknown[] = []): OpenFileCache =>
  new OpenFileCache(limit, (error) => void errors.push(error))

test("open files: beyond the limit the one unused for longest is closed; a pinned one is not", (t) => {
  const cache = cacheOf(64)
  const files = Array.from({ length: 66 }, () => ({ key: owner(), ...spied() }))
  const [first, second, third] = files
  for (const { key, file } of files.slice(0, 64)) cache.add(key, file)
  if (first === undefined || second === undefined || third === undefined) throw new Error("no files")
  cache.get(first.key)
  const pin = cache.pin(second.key)
  for (const { key, file } of files.slice(64)) cache.add(key, file)
  t.is(cache.size, 64)
  t.is(cache.get(first.key), first.file)
  t.is(cache.get(second.key), second.file)
  t.deepEqual(third.calls, ["close"])
  cache.drop(second.key)
  t.deepEqual(second.calls, [])
  pin[Symbol.dispose]()
  t.deepEqual(second.calls, ["close"])
})

test("open files: whatever is kept open, the one just added stays open, and nothing is counted twice", (t) => {
  const cache = cacheOf(64)
  const files = Array.from({ length: 70 }, () => ({ key: owner(), ...spied() }))
  const [first] = files
  const pins = files.slice(0, 40).map(({ key, file }) => {
    cache.add(key, file)
    return cache.pin(key)
  })
  t.true(cache.isFull)
  const holds = Array.from({ length: 24 }, () => cache.hold())
  for (const { key, file } of files.slice(40)) {
    cache.add(key, file)
    t.is(cache.get(key), file, "though all the others are kept open")
  }
  t.is(cache.size, 41)
  if (first === undefined) throw new Error("no files")
  cache.pin(first.key)[Symbol.dispose]()
  cache.drop(first.key)
  t.deepEqual(first.calls, [])
  for (const hold of [...holds, ...holds]) hold[Symbol.dispose]()
  for (const pin of pins) pin[Symbol.dispose]()
  t.deepEqual(first.calls, ["close"])
  t.false(cache.isFull)
  for (let index = 0; index < 64; index++) cache.add(owner(), spied().file)
  t.is(cache.size, 64)
  t.true(files.slice(1, 40).every(({ calls }) => calls.length === 1))
})

test("open files: what was marked is synced before it is closed, and whoever waits for that can", async (t) => {
  const errors: unknown[] = []
  const cache = cacheOf(64, errors)
  const [good, bad, gone] = [spied(), spied(new Error("the disk is gone")), spied()]
  for (const one of [good, bad, gone]) {
    cache.add(one, one.file)
    cache.markUnsynced(one)
  }
  cache.drop(good)
  cache.drop(bad)
  cache.drop(gone, true)
  await cache.closed()
  t.deepEqual(good.calls, ["syncLater", "close"])
  t.deepEqual(bad.calls, ["syncLater", "close"])
  t.deepEqual(gone.calls, ["close"])
  t.is(errors.length, 1)
})

// Closing thousands of marked files in one turn kept all their descriptors open until the turn was over.
test("open files: files that wait for their sync cannot pile up", async (t) => {
  const cache = cacheOf(64)
  const directory = temporaryDirectory(t)
  for (let index = 0; index < 500; index++) {
    const path = join(directory, `${index}`)
    writeFileSync(path, "")
    const key = owner()
    cache.add(key, nodeDisk.open(path, "write"))
    cache.markUnsynced(key)
    cache.drop(key)
    t.true(openUnder(directory) <= 65)
  }
  await cache.closed()
  t.is(openUnder(directory), 0)
})

function openUnder(directory: string): number {
  const links = readdirSync("/proc/self/fd").map((fd) => `/proc/self/fd/${fd}`)
  return links.filter((link) => existsSync(link) && readlinkSync(link).startsWith(directory)).length
}
