import test from "ava"
import { newDirectory } from "../../../common/directory/directory.ts"
import { blobSize, chainOf, chainsAt, pageSize } from "../../../common/directory/directory-page.ts"
import { type RecoveredEntry, recoverEntries } from "../../../common/directory/directory-recovery.ts"
import { unique, type VnodeId, vnodeNumber } from "../../../common/ids.ts"
import { bigDirectory, sampleDirectories } from "../../support/dump-samples.ts"

const id = (vnode: number, uniquifier: number): VnodeId => ({ vnode: vnodeNumber(vnode), unique: unique(uniquifier) })
const bytes = (name: string): Buffer => Buffer.from(name, "latin1")
const headAt = (name: string): number => chainsAt + 2 * chainOf(bytes(name))
const line = ({ name, vnode, unique }: RecoveredEntry): string => `${name.toString("latin1")} ${vnode}.${unique}`
const names = (entries: readonly RecoveredEntry[]): string[] => entries.map((entry) => entry.name.toString("latin1"))

/** `.` at blob 13, `..` at 14, `name 0` at 15 … `name 48` at 63, `name 49` at 65. */
function image(count = 80): Buffer {
  const directory = newDirectory(id(1, 1), id(1, 1))
  for (let index = 0; index < count; index++) directory.add(bytes(`name ${index}`), id(2 * index + 2, index + 1))
  return Buffer.from(directory.bytes)
}

test("directory recovery: a sound directory gives its entries, all from their chains, in the order of their blobs", (t) => {
  for (const { bytes: real } of sampleDirectories()) {
    const entries = recoverEntries(real)
    t.true(entries.every((entry) => entry.found === "chained"))
    t.deepEqual(names(entries.slice(0, 2)), [".", ".."])
    t.true(entries.every((entry, index) => index === 0 || entry.blob > (entries[index - 1]?.blob ?? 0)))
  }
  t.is(recoverEntries(bigDirectory("d1500")).length, 1502)
})

test("directory recovery: with all chain heads gone every entry is found by its flag", (t) => {
  for (const name of ["d1500", "holes", "long"] as const) {
    const real = bigDirectory(name)
    const wanted = recoverEntries(real).map(line)
    const spoiled = real.slice()
    spoiled.fill(0, chainsAt, chainsAt + 256)
    const entries = recoverEntries(spoiled)
    t.true(entries.every((entry) => entry.found === "unchained"))
    t.deepEqual(entries.map(line), wanted, name)
  }
})

test("directory recovery: with page 0 gone the entries of the other pages are found", (t) => {
  const spoiled = image().fill(0, 0, pageSize)
  t.deepEqual(
    names(recoverEntries(spoiled)),
    Array.from({ length: 31 }, (_, index) => `name ${49 + index}`),
  )
})

/** OpenAFS's salvager may find them by what it takes for heads of chains. */
test("directory recovery: entries that lie where a page's header belongs are found if the header is not there", (t) => {
  for (const [first, second] of [
    [0, 512],
    [0, 1024],
    [pageSize, pageSize + 512],
  ] as const) {
    const sound = image(110)
    const swapped = Buffer.from(sound)
    sound.copy(swapped, first, second, second + 512)
    sound.copy(swapped, second, first, first + 512)
    t.deepEqual(names(recoverEntries(swapped)).sort(), names(recoverEntries(sound)).sort(), `${first} and ${second}`)
  }
})

test("directory recovery: what looks like an entry in a page's header covers none behind it", (t) => {
  const spoiled = image()
  spoiled.fill(0, chainsAt, chainsAt + 256)
  spoiled.fill("x", 12 * blobSize, 13 * blobSize)
  spoiled[12 * blobSize] = 1
  spoiled[3] = 0 // the tag
  const wanted = names(recoverEntries(image()))
  t.is(wanted.length, 82)
  t.deepEqual(names(recoverEntries(spoiled)), [`${"x".repeat(20)}\x01`, ...wanted])
})

test("directory recovery: bad tags, bitmaps and page counts do not matter", (t) => {
  const wanted = recoverEntries(image()).map(line)
  const spoiled = image()
  for (const page of [0, pageSize]) spoiled.fill(0xff, page, page + 32)
  t.deepEqual(recoverEntries(spoiled).map(line), wanted)
  for (const page of [0, pageSize]) spoiled.fill(0, page, page + 32)
  t.deepEqual(recoverEntries(spoiled).map(line), wanted)
})

test("directory recovery: a circle, a link out of the file and a broken link lose nothing that has its flag", (t) => {
  const wanted = recoverEntries(image()).map(line).sort()
  const spoil = (act: (spoiled: Buffer) => void): void => {
    const spoiled = image()
    act(spoiled)
    t.deepEqual(recoverEntries(spoiled).map(line).sort(), wanted)
  }
  spoil((spoiled) => spoiled.writeUInt16BE(15, 15 * blobSize + 2))
  spoil((spoiled) => spoiled.writeUInt16BE(13, 14 * blobSize + 2))
  spoil((spoiled) => spoiled.writeUInt16BE(0xffff, headAt("name 7")))
  spoil((spoiled) => {
    for (let chain = 0; chain < 128; chain++) spoiled.writeUInt16BE(15, chainsAt + 2 * chain)
  })
})

test("directory recovery: a name that changed is found as misplaced, after those that are right", (t) => {
  const spoiled = image()
  spoiled[15 * blobSize + 12] = 0x4e
  const entries = recoverEntries(spoiled)
  t.is(entries.length, 82)
  const last = entries.at(-1)
  t.deepEqual([last?.name.toString(), last?.found, last?.blob], ["Name 0", "misplaced", 15])
})

test("directory recovery: an entry whose flag is gone is found by the chain that its name belongs to", (t) => {
  const spoiled = image()
  spoiled[15 * blobSize] = 0
  const found = recoverEntries(spoiled).find((entry) => entry.blob === 15)
  t.deepEqual([found?.name.toString(), found?.found], ["name 0", "chained"])
  spoiled.fill(0, chainsAt, chainsAt + 256)
  t.is(
    recoverEntries(spoiled).find((entry) => entry.blob === 15),
    undefined,
  )
})

/** A name whose second blob looks like an entry `inner` for vnode 0x42424242. */
function deceptiveName(): Buffer {
  const inner = Buffer.from("\x01\x41\x41\x41\x42\x42\x42\x42\x43\x43\x43\x43inner", "latin1")
  return Buffer.concat([Buffer.alloc(20, "x"), inner])
}

test("directory recovery: the middle of a long name is not an entry, even if it looks like one", (t) => {
  const directory = newDirectory(id(1, 1), id(1, 1))
  directory.add(deceptiveName(), id(2, 7))
  const sound = Buffer.from(directory.bytes)
  t.deepEqual(
    recoverEntries(sound).map((entry) => entry.blob),
    [13, 14, 15],
  )
  const spoiled = Buffer.from(sound).fill(0, chainsAt, chainsAt + 256)
  t.deepEqual(
    recoverEntries(spoiled).map((entry) => entry.blob),
    [13, 14, 15],
  )
  // Its own entry cannot be recognized any more: then, and only then, there is nothing to tell it from an entry.
  spoiled[15 * blobSize] = 0
  t.deepEqual(
    recoverEntries(spoiled)
      .map((entry) => [entry.blob, entry.found])
      .at(-1),
    [16, "unchained"],
  )
})

test("directory recovery: what a removed entry leaves behind is no entry", (t) => {
  const directory = newDirectory(id(1, 1), id(1, 1))
  for (let index = 0; index < 20; index++) directory.add(Buffer.alloc(255, `${index} name `), id(2, index + 1))
  for (let index = 0; index < 20; index++) directory.remove(Buffer.alloc(255, `${index} name `))
  t.true(directory.bytes.subarray(15 * blobSize, pageSize).some((byte) => byte !== 0))
  t.deepEqual(names(recoverEntries(directory.bytes)), [".", ".."])
})

test("directory recovery: two names for one vnode and one name for two vnodes are all given, the same thing once", (t) => {
  const spoiled = image(3)
  // Blobs 18 and 19: `name 0` again for the same vnode, and for another.
  for (const [blob, vnode] of [
    [18, 2],
    [19, 4],
  ] as const) {
    spoiled.copy(spoiled, blob * blobSize, 15 * blobSize, 16 * blobSize)
    spoiled.writeUInt32BE(vnode, blob * blobSize + 4)
  }
  const entries = recoverEntries(spoiled).filter((entry) => entry.name.toString() === "name 0")
  t.deepEqual(
    entries.map((entry) => [entry.vnode, entry.blob, entry.found]),
    [
      [vnodeNumber(2), 15, "chained"],
      [vnodeNumber(4), 19, "unchained"],
    ],
  )
})

test("directory recovery: a cut file gives what is left of it, to the byte", (t) => {
  const spoiled = image()
  for (const size of [0, 1, 100, 416, 429, 430, 500, 2048, 2049, 2100, 2140, 2160, 4095]) {
    const entries = recoverEntries(spoiled.subarray(0, size))
    const all = Array.from({ length: 82 }, (_, index) => (index < 51 ? 13 : 14) + index)
    const whole = all.filter((blob, index) => blob * blobSize + 12 + nameOf(index).length < size)
    t.deepEqual(
      entries.map((entry) => entry.blob).sort((a, b) => a - b),
      whole,
      `${size}`,
    )
  }
})

const nameOf = (index: number): string => [".", ".."][index] ?? `name ${index - 2}`

test("directory recovery: the worst there is takes bounded time", (t) => {
  const hostile = Buffer.alloc(1023 * pageSize, 0x01)
  recoverEntries(hostile)
  for (let chain = 0; chain < 128; chain++) hostile.writeUInt16BE(13, chainsAt + 2 * chain)
  for (let blob = 13; blob < 1023 * 64; blob++) {
    hostile.writeUInt16BE(Math.min(blob + (blob % 64 === 63 ? 2 : 1), 65471), blob * blobSize + 2)
    hostile.writeUInt32BE(blob, blob * blobSize + 4)
    hostile[blob * blobSize + 27] = 0
  }
  t.true(recoverEntries(hostile).length > 60_000)
})
