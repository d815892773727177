/** Entries of directory images, and images of entries. */
import test from "ava"
import { checkDirectory, findDirectoryFault } from "../../common/directory/directory-check.ts"
import { dotBlob } from "../../common/directory/directory-page.ts"
import {
  editedEntries,
  entryWords,
  fidAt,
  isDots,
  makeImage,
  readEntries,
  wordsPerEntry,
} from "../../salvager/directory-image.ts"

const self = { vnode: 5, unique: 50 }
const parent = { vnode: 1, unique: 1 }
const named = (name: string, vnode: number) => ({ name: Buffer.from(name), vnode, unique: vnode * 10 })
const many = Array.from({ length: 500 }, (_, index) => named(`name ${index} ${"x".repeat(index % 60)}`, 2 * index + 2))

test("directory image: what is made of entries is sound, and the entries come back, whatever their number", (t) => {
  for (const entries of [[], [named("a", 2)], many]) {
    const { bytes, left } = makeImage(self, parent, entries)
    t.deepEqual(left, [])
    t.is(findDirectoryFault(bytes), undefined)
    const image = Buffer.from(bytes)
    t.deepEqual(fidAt(image, dotBlob), self)
    const back = readEntries(image, true).map(({ name, vnode }) => `${name} ${vnode}`)
    t.deepEqual(back.sort(), entries.map(({ name, vnode }) => `${name} ${vnode}`).sort())
  }
})

test("directory image: reading a damaged one gives the same entries as long as they can be told", (t) => {
  const image = Buffer.from(makeImage(self, parent, many).bytes)
  image.fill(0, 160, 416) // all chains
  const entries = readEntries(image, false)
  t.is(entries.length, many.length)
  t.true(entries.every(({ isChained }) => !isChained))
})

test("directory image: the words of a sound directory's entries are those of all but . and ..", (t) => {
  const image = Buffer.from(makeImage(self, parent, many).bytes)
  const { nameLengths, hasSlash } = checkDirectory(image)
  t.false(hasSlash)
  const words = entryWords(image, nameLengths)
  t.is(words.length, wordsPerEntry * many.length)
  for (let at = 0; at < words.length; at += wordsPerEntry) t.is(words[at + 2], 10 * (words[at + 1] ?? 0))
})

test("directory image: a sound directory tells of a name that no client can ask for", (t) => {
  const { bytes } = makeImage(self, parent, [...many, named("a.b", 2)])
  const image = Buffer.from(bytes)
  const at = image.indexOf("a.b")
  const allBytes = Array.from({ length: 256 }, (_, byte) => byte)
  t.false(checkDirectory(image).hasSlash)
  // whichever byte comes first keeps the name in its chain
  const sound = allBytes.filter((byte) => {
    image[at] = byte
    image[at + 1] = 0x2f
    return checkDirectory(image).fault === undefined
  })
  t.true(sound.length > 0)
  image[at] = sound[0] ?? 0
  t.true(checkDirectory(image).hasSlash)
})

test("directory image: a name that no room is left for is told", (t) => {
  const full = Array.from({ length: 62_000 }, (_, index) => named(`f${index}-${"y".repeat(16)}`, 2 * index + 2))
  const { bytes, left } = makeImage(self, parent, full)
  t.true(left.length > 0)
  t.is(findDirectoryFault(bytes), undefined)
})

const blobbed = (names: readonly [string, number][]) =>
  names.map(([name, vnode], index) => ({ ...named(name, vnode), blob: 20 + index, isChained: true }))

test("edited entries: dropped ones go, others lead elsewhere, new ones come last", (t) => {
  const entries = blobbed([
    ["a", 2],
    ["b", 4],
    ["c", 6],
  ])
  const edits = [
    { kind: "drop", blob: 20 },
    { kind: "lead", blob: 21, vnode: 8, unique: 81 },
    { kind: "add", name: Buffer.from("d"), vnode: 10, unique: 100 },
  ] as const
  const result = editedEntries(entries, edits)
  t.deepEqual(
    result.entries.map(({ name, vnode, unique }) => `${name} ${vnode}.${unique}`),
    ["b 8.81", "c 6.60", "d 10.100"],
  )
  t.deepEqual(result.renamed, [])
})

test("edited entries: names are made unique and usable, at most 255 bytes long, and each object keeps one name per name", (t) => {
  const long = "z".repeat(255)
  const entries = blobbed([
    ["same", 2],
    ["same", 4],
    ["same", 2],
    ["a/b", 6],
    [long, 8],
    [long, 10],
  ])
  const { entries: made, renamed } = editedEntries(entries, [])
  t.deepEqual(
    made.map(({ name, vnode }) => `${vnode} ${name}`),
    [
      "2 same",
      "4 same.__DUPLICATE__.4.40",
      "6 a_b",
      `8 ${long}`,
      `10 ${"z".repeat(255 - ".__DUPLICATE__.10.100".length)}.__DUPLICATE__.10.100`,
    ],
  )
  t.deepEqual(
    renamed.map(({ why }) => why),
    ["duplicate", "name", "duplicate"],
  )
})

test("the names . and .. and no others are dots", (t) => {
  t.true([".", ".."].every((name) => isDots(Buffer.from(name))))
  t.false(["", "...", ".a", "a.", "..a", "a"].some((name) => isDots(Buffer.from(name))))
})
