import test, { type ExecutionContext } from "ava"
import { Directory, type DirectoryEntry, newDirectory } from "../../../common/directory/directory.ts"
import { findDirectoryFault } from "../../../common/directory/directory-check.ts"
import {
  blobsPerPage,
  chainOf,
  chainsAt,
  mapAt,
  markBlobs,
  noPage,
  pageCountAt,
  pageSize,
} from "../../../common/directory/directory-page.ts"
import { FormatError, isAfsError } from "../../../common/error.ts"
import { unique, type VnodeId, vnodeNumber } from "../../../common/ids.ts"
import { bigDirectory, sampleDirectories } from "../../support/dump-samples.ts"
import { type Random, randomOf, seededRandom } from "../../support/random.ts"

const id = (vnode: number, uniquifier: number): VnodeId => ({ vnode: vnodeNumber(vnode), unique: unique(uniquifier) })
const root = id(1, 1)
const bytes = (name: string): Buffer => Buffer.from(name, "latin1")
const text = (name: Uint8Array): string => Buffer.from(name).toString("latin1")
/** Compares images without printing kilobytes where they differ. */
function sameBytes(t: ExecutionContext, found: Uint8Array, wanted: Uint8Array, about?: string): void {
  const different = found.findIndex((byte, index) => byte !== wanted[index])
  t.deepEqual({ length: found.length, different }, { length: wanted.length, different: -1 }, about)
}
const numbers = ({ vnode, unique }: VnodeId): number[] => [vnode, unique]

function refuses(
  t: ExecutionContext,
  code: "EEXIST" | "ENOENT" | "EINVAL" | "EFBIG",
  act: () => unknown,
  about?: string,
): void {
  const error = t.throws(act, undefined, about)
  t.true(isAfsError(error, code), `${about ?? ""} ${error?.message}`)
}

test("directory: a new one is laid out as OpenAFS lays it out", (t) => {
  const directory = newDirectory(id(133, 97), root)
  const image = directory.bytes
  t.is(image.length, 2048)
  t.is(Buffer.from(image.subarray(0, 14)).toString("hex"), "000104d233ff7f00000000000000")
  t.is(image[mapAt], 49)
  t.true(image.subarray(mapAt + 1, mapAt + 128).every((free) => free === noPage))
  t.is(Buffer.from(image.subarray(0x1a0, 0x1b0)).toString("hex"), "0100000000000085000000612e000000")
  t.is(Buffer.from(image.subarray(0x1c0, 0x1d0)).toString("hex"), "0100000000000001000000012e2e0000")
  t.deepEqual([chain(image, 46), chain(image, 68)], [13, 14])
  t.deepEqual(
    directory.takeChanges().map(({ offset, bytes }) => [offset, bytes.length]),
    [[0, 2048]],
  )
})

function chain(image: Uint8Array, number: number): number {
  return Buffer.from(image).readUInt16BE(chainsAt + 2 * number)
}

test("directory: the page of a real directory with hard links comes out of the same additions", (t) => {
  const directory = newDirectory(id(133, 97), root)
  for (const name of ["a", "b", "a name of more than sixteen bytes"]) directory.add(bytes(name), id(62, 98))
  directory.add(bytes("single"), id(64, 99))
  const image = directory.bytes
  t.is(Buffer.from(image.subarray(0, 9)).toString("hex"), "000104d233ffff0f00")
  t.is(image[mapAt], 44)
  t.deepEqual(
    [6, 46, 68, 97, 98, 100].map((number) => chain(image, number)),
    [19, 13, 14, 15, 16, 17],
  )
  t.is(Buffer.from(image.subarray(0x220, 0x230)).toString("hex"), "010000000000003e0000006261206e61")
  t.is(Buffer.from(image.subarray(0x230, 0x23c)).toString("latin1"), "me of more t")
  t.is(Buffer.from(image.subarray(0x260, 0x270)).toString("hex"), "0100000000000040000000637369" + "6e67")
  const real = sampleDirectories().find((one) => one.dump.startsWith("tree") && one.vnode === 133)
  sameBytes(t, image, real?.bytes ?? Buffer.alloc(0))
})

test("directory: every directory that vos dumped reads alike by chains, by blobs and by lookup", (t) => {
  const directories = sampleDirectories()
  t.true(directories.length > 150)
  for (const { dump, vnode, bytes: image } of directories) {
    const directory = Directory.parse(image)
    const entries = [...directory.entries()]
    const byBlob = entries.toSorted((a, b) => a.blob - b.blob)
    t.deepEqual([...directory.entriesInBlobOrder()], byBlob, `${dump} ${vnode}`)
    for (const entry of entries) t.deepEqual(numbers(directory.lookup(entry.name) ?? root), numbers(entry))
    t.is(Number(directory.lookup(bytes("."))?.vnode), vnode)
    t.is(directory.dirtyPages.length, 0)
  }
})

/** The directory that additions of a real one's entries, in the order of their blobs, give. */
function rebuilt(entries: readonly DirectoryEntry[]): Directory {
  const [self = root, parent = root, ...names] = entries
  const directory = newDirectory(self, parent)
  for (const entry of names) directory.add(entry.name, entry)
  return directory
}

test("directory: real directories from which nothing was ever removed come out byte for byte", (t) => {
  const directories = sampleDirectories()
  const same = directories.filter(({ bytes: image }) => {
    const built = rebuilt([...Directory.parse(image).entriesInBlobOrder()])
    return Buffer.compare(built.bytes, image) === 0
  })
  // The others had removals: gaps, or places used again, as the histories below show.
  t.deepEqual([same.length, directories.length], [143, 154])
})

function replay(image: Uint8Array, history: (directory: Directory, idOf: (name: string) => VnodeId) => void): Buffer {
  const real = new Map([...Directory.parse(image).entries()].map((entry) => [text(entry.name), entry]))
  // What was removed led somewhere that cannot be seen any more; it makes no difference.
  const idOf = (name: string): VnodeId => real.get(name) ?? root
  const directory = newDirectory(idOf("."), idOf(".."))
  history(directory, idOf)
  return Buffer.from(directory.bytes)
}

const padded = (index: number, width: number): string => String(index).padStart(width, "0")

test("directory: histories of real directories, replayed, give the bytes that OpenAFS's fileserver left", (t) => {
  const holes = bigDirectory("holes")
  const long = [...Directory.parse(holes).entries()].filter((entry) => entry.name.length > 15)
  sameBytes(
    t,
    replay(holes, (directory, idOf) => {
      for (let index = 0; index < 400; index++)
        directory.add(bytes(`h${padded(index, 3)}`), idOf(`h${padded(index, 3)}`))
      for (let index = 0; index < 400; index += 3) directory.remove(bytes(`h${padded(index, 3)}`))
      for (const entry of long.sort((a, b) => a.unique - b.unique)) directory.add(entry.name, entry)
      directory.remove(bytes("h001"))
    }),
    holes,
  )
  const emptied = bigDirectory("emptied")
  sameBytes(
    t,
    replay(emptied, (directory) => {
      for (let index = 0; index < 200; index++) directory.add(bytes(`e${padded(index, 3)}`), root)
      for (let index = 0; index < 200; index++) directory.remove(bytes(`e${padded(index, 3)}`))
    }),
    emptied,
  )
  const many = bigDirectory("d1500")
  sameBytes(
    t,
    replay(many, (directory, idOf) => {
      for (let index = 0; index < 1500; index++)
        directory.add(bytes(`entry-${padded(index, 4)}`), idOf(`entry-${padded(index, 4)}`))
      directory.remove(bytes("entry-0700"))
      directory.add(bytes("renamed"), idOf("renamed"))
      directory.remove(bytes("entry-0701"))
      directory.add(bytes("late"), idOf("late"))
    }),
    many,
  )
})

test("directory: one of 136 pages, more than the allocation map covers, comes out byte for byte", (t) => {
  const real = bigDirectory("long")
  t.is(real.length, 136 * pageSize)
  const names = [...Directory.parse(real).entries()].map((entry) => text(entry.name))
  const tail = names.find((name) => name.startsWith("0001"))?.slice(4) ?? ""
  t.is(tail.length, 251)
  const image = replay(real, (directory, idOf) => {
    directory.add(bytes("base"), idOf("base"))
    for (let index = 0; index < 950; index++) directory.add(bytes(padded(index, 4) + tail), idOf("base"))
    for (let index = 0; index < 950; index += 50) directory.remove(bytes(padded(index, 4) + tail))
  })
  sameBytes(t, image, real)
})

test("directory: names, ids and refusals are answered by code", (t) => {
  const directory = newDirectory(root, root)
  directory.add(bytes("here"), id(2, 7))
  directory.takeChanges()
  refuses(t, "EEXIST", () => directory.add(bytes("here"), id(4, 8)))
  refuses(t, "EEXIST", () => directory.add(bytes("."), id(4, 8)))
  refuses(t, "ENOENT", () => directory.remove(bytes("there")))
  refuses(t, "ENOENT", () => directory.change(bytes("there"), id(4, 8)))
  for (const name of [".", ".."]) refuses(t, "EINVAL", () => directory.remove(bytes(name)), name)
  for (const name of ["", "a/b", "a\0b", "x".repeat(256)])
    refuses(t, "EINVAL", () => directory.add(bytes(name), id(4, 8)), name)
  t.is(directory.dirtyPages.length, 0)
  t.is(directory.lookup(bytes("nothing")), undefined)
  t.is(directory.lookup(bytes("")), undefined)
  t.is(directory.lookup(bytes("x".repeat(5000))), undefined)
  t.deepEqual(numbers(directory.remove(bytes("here"))), [2, 7])
  t.is(directory.lookup(bytes("here")), undefined)
})

test("directory: a changed id stays in its place, for . and .. too, and numbers keep all 32 bits", (t) => {
  const directory = newDirectory(root, root)
  directory.add(bytes("x"), id(2, 2))
  const blobs = [...directory.entries()].map((entry) => entry.blob)
  directory.change(bytes("x"), id(0xffff_fffe, 0xffff_ffff))
  directory.change(bytes(".."), id(33, 44))
  t.deepEqual(numbers(directory.lookup(bytes("x")) ?? root), [0xffff_fffe, 0xffff_ffff])
  t.deepEqual(numbers(directory.lookup(bytes("..")) ?? root), [33, 44])
  t.deepEqual(
    [...directory.entries()].map((entry) => entry.blob),
    blobs,
  )
})

test("directory: all names of one hash chain are found, from head to tail, as others come and go", (t) => {
  const names: string[] = []
  for (let index = 0; names.length < 120; index++) if (chainOf(bytes(`n${index}`)) === 5) names.push(`n${index}`)
  const directory = newDirectory(root, root)
  for (const [index, name] of names.entries()) directory.add(bytes(name), id(2 * index + 2, index + 1))
  const chained = [...directory.entries()].map((entry) => text(entry.name)).filter((name) => name.startsWith("n"))
  t.deepEqual(chained, names.toReversed())
  for (const name of [names[0], names[60], names[119]]) directory.remove(bytes(name ?? ""))
  names.forEach((name, index) => {
    const found = directory.lookup(bytes(name))
    t.deepEqual(found && numbers(found), [0, 60, 119].includes(index) ? undefined : [2 * index + 2, index + 1])
  })
  t.is(findDirectoryFault(directory.bytes), undefined)
})

test("directory: only the pages that changed are reported, joined where they lie side by side", (t) => {
  const directory = rebuilt([])
  for (let index = 0; index < 400; index++) directory.add(bytes(`file ${index}`), id(2 * index + 2, index + 1))
  t.deepEqual(
    directory.takeChanges().map(({ offset, bytes }) => [offset, bytes.length]),
    [[0, directory.length]],
  )
  directory.change(bytes("file 399"), id(2, 2))
  directory.remove(bytes("file 100"))
  const before = Buffer.from(directory.bytes)
  const changes = directory.takeChanges()
  t.true(
    changes.length > 1 &&
      changes.every(({ offset, bytes }) => offset % pageSize === 0 && bytes.length % pageSize === 0),
  )
  for (const { offset, bytes: page } of changes) sameBytes(t, page, before.subarray(offset, offset + page.length))
  t.deepEqual(directory.takeChanges(), [])
})

// A transaction writes later: were a change a view of the image, the next one would be written in its place.
test("directory: reported changes stay as they were taken, whatever comes after", (t) => {
  const directory = Directory.parse(Buffer.from(newDirectory(root, root).bytes))
  directory.add(bytes("first"), root)
  const [change] = directory.takeChanges()
  const taken = Buffer.from(change?.bytes ?? []).toString("hex")
  directory.add(bytes("second"), root)
  t.is(Buffer.from(change?.bytes ?? []).toString("hex"), taken)
})

/** The data file as its owner would have it who writes nothing but the changes. */
class WrittenFile {
  bytes = Buffer.alloc(0)

  apply(directory: Directory): void {
    for (const { offset, bytes: page } of directory.takeChanges()) {
      if (this.bytes.length < offset + page.length) {
        this.bytes = Buffer.concat([this.bytes, Buffer.alloc(offset + page.length - this.bytes.length)])
      }
      this.bytes.set(page, offset)
    }
  }
}

function randomName(random: Random): string {
  const length = random.pick([1, 3, 8, 15, 16, 20, 47, 48, 100, 200, 255, 1 + random.below(255)])
  const letters = Array.from({ length }, () => random.pick(["a", "b", "z", "\xff", "\x01", ".", " "]))
  return letters.join("").replace(/^\.{1,2}$/, "dots")
}

/** Random additions, removals and changes, against a Map; sound after every step, and what is written is what is held. */
interface Walk {
  readonly steps: number
  /** Steps from one check for soundness to the next. */
  readonly checkEvery: number
  /** Bytes of a name at least. */
  readonly nameMin: number
}

function compareWithModel(t: ExecutionContext, random: Random, { steps, checkEvery, nameMin }: Walk): Directory {
  const directory = newDirectory(root, root)
  const model = new Map<string, VnodeId>()
  const file = new WrittenFile()
  const anyName = (): string => [...model.keys()][random.below(model.size)] ?? "none"
  for (let step = 0; step < steps; step++) {
    const target = id(random.below(2 ** 32), random.below(2 ** 32))
    const name = random.below(4) === 0 ? anyName() : randomName(random).padEnd(nameMin, "-")
    const action = random.below(10)
    if (action < 6 && !model.has(name)) {
      directory.add(bytes(name), target)
      model.set(name, target)
    } else if (action < 9 && model.has(name)) {
      t.deepEqual(numbers(directory.remove(bytes(name))), numbers(model.get(name) ?? root))
      model.delete(name)
    } else if (model.has(name)) {
      directory.change(bytes(name), target)
      model.set(name, target)
    }
    file.apply(directory)
    if (step % checkEvery !== 0) continue
    if (findDirectoryFault(directory.bytes) !== undefined)
      t.fail(`step ${step}: ${findDirectoryFault(directory.bytes)?.text}`)
  }
  const line = (name: string, target: VnodeId): string => `${JSON.stringify(name)} ${numbers(target).join(".")}`
  const names = [...directory.entries()].filter(({ name }) => !/^\.{1,2}$/.test(text(name)))
  const listed = names.map((entry) => line(text(entry.name), entry))
  t.deepEqual(listed.sort(), [...model].map(([name, target]) => line(name, target)).sort())
  for (const [name, target] of model) t.deepEqual(numbers(directory.lookup(bytes(name)) ?? root), numbers(target))
  sameBytes(t, file.bytes, directory.bytes)
  t.is(findDirectoryFault(directory.bytes), undefined)
  return directory
}

test("directory: agrees with a map of names through random changes, and is sound after every one", (t) => {
  const random = seededRandom(t)
  for (let round = 0; round < 10; round++)
    compareWithModel(t, randomOf(random.below(2 ** 32)), { steps: 400, checkEvery: 1, nameMin: 1 })
})

test("directory: agrees with a map of names when it has grown beyond 128 pages", (t) => {
  const directory = compareWithModel(t, seededRandom(t), { steps: 8000, checkEvery: 200, nameMin: 220 })
  t.true(directory.pageCount > 128, `${directory.pageCount} pages`)
})

test("directory: the 1024th page is refused with EFBIG, what is in it stays, and freed room is used again", (t) => {
  const directory = newDirectory(root, root)
  const name = (index: number): Buffer => bytes(padded(index, 5).padEnd(255, "n"))
  let count = 0
  refuses(t, "EFBIG", () => {
    for (;;) directory.add(name(count), id(2, ++count))
  })
  count-- // the one that found no room
  // 5 of 9 blobs in the first page, 7 in each of the others.
  t.deepEqual([directory.pageCount, count], [1023, 5 + 7 * 1022])
  t.is(findDirectoryFault(directory.bytes), undefined)
  for (const small of ["a", "b", "c", "d"]) directory.add(bytes(small), root)
  refuses(t, "EFBIG", () => directory.add(bytes("e"), root))
  directory.remove(name(7000))
  directory.add(bytes("f".repeat(255)), id(8, 9))
  refuses(t, "EFBIG", () => directory.add(bytes("g".repeat(255)), root))
  t.deepEqual(numbers(directory.lookup(name(count - 1)) ?? root), [2, count])
  t.is(findDirectoryFault(directory.bytes), undefined)
  t.is([...directory.entries()].length, count + 4 + 2)
})

test("directory: old ones without a page count are read, and get one with their next page", (t) => {
  const directory = newDirectory(root, root)
  for (let index = 0; index < 100; index++) directory.add(bytes(`name ${index}`), id(2, index + 1))
  const image = directory.bytes.slice()
  image[pageCountAt + 1] = 0
  const old = Directory.parse(image)
  t.is(old.pageCount, directory.pageCount)
  t.is(old.lookup(bytes("name 99"))?.unique, unique(100))
  for (let index = 0; old.pageCount === directory.pageCount; index++) old.add(bytes(`more ${index}`), root)
  t.is(old.bytes[pageCountAt + 1], old.pageCount)
  t.is(findDirectoryFault(old.bytes), undefined)
})

test("directory: the entry just listed may be removed or changed", (t) => {
  for (const order of ["entries", "entriesInBlobOrder"] as const) {
    const directory = newDirectory(root, root)
    for (let index = 0; index < 300; index++) directory.add(bytes(`name ${index}`), id(2 * index + 2, 1))
    for (const entry of directory[order]()) {
      if (entry.name[0] === 0x2e) continue
      if (entry.vnode % 4 === 0) directory.remove(entry.name)
      else directory.change(entry.name, id(entry.vnode, 5))
    }
    const left = [...directory.entries()].filter((entry) => entry.name[0] !== 0x2e)
    t.is(left.length, 150, order)
    t.true(left.every((entry) => entry.vnode % 4 === 2 && entry.unique === unique(5)))
  }
})

function spoiled(spoil: (image: Buffer) => void): Buffer {
  const directory = newDirectory(root, root)
  for (let index = 0; index < 80; index++) directory.add(bytes(`name ${index}`), id(2, index + 1))
  const image = Buffer.from(directory.bytes)
  spoil(image)
  return image
}

function headOf(name: string): number {
  return chainsAt + 2 * chainOf(bytes(name))
}

test("directory: damaged chains end in an error, never in a loop, and nothing is changed", (t) => {
  const cases: readonly (readonly [string, (image: Buffer) => void, RegExp])[] = [
    [
      "circle",
      (image) => {
        const blob = image.readUInt16BE(headOf("name 1"))
        image.writeUInt16BE(blob, blob * 32 + 2)
        image[blob * 32 + 12] = 0x51
      },
      /more entries than blobs/,
    ],
    ["out of range", (image) => image.writeUInt16BE(2 * blobsPerPage, headOf("name 1")), /link to blob 128 of 128/],
    ["into a header", (image) => image.writeUInt16BE(64, headOf("name 1")), /no entry at blob 64/],
    ["free blob", (image) => image.writeUInt16BE(127, headOf("name 1")), /no entry at blob 127/],
  ]
  for (const [about, spoil, message] of cases) {
    const image = spoiled(spoil)
    const before = Buffer.from(image)
    const directory = Directory.parse(image, "d")
    t.throws(() => directory.lookup(bytes("name 1")), { instanceOf: FormatError, message }, about)
    t.throws(() => directory.add(bytes("name 1"), root), { instanceOf: FormatError, message }, about)
    t.throws(() => directory.remove(bytes("name 1")), { instanceOf: FormatError, message }, about)
    t.throws(() => [...directory.entries()], { instanceOf: FormatError, message }, about)
    sameBytes(t, image, before, about)
    t.is(directory.dirtyPages.length, 0)
  }
})

test("directory: an entry without an end to its name, or with none, stops a listing", (t) => {
  for (const [fill, message] of [
    [0x78, /does not end in its page/],
    [0, /an empty name/],
  ] as const) {
    const directory = Directory.parse(
      spoiled((image) => image.fill(fill, 63 * 32 + 12, 64 * 32)),
      "d",
    )
    const error = t.throws(() => [...directory.entries()], { instanceOf: FormatError, message })
    t.is(error?.offset, 63 * 32 + 12)
    t.throws(() => [...directory.entriesInBlobOrder()], { instanceOf: FormatError, message })
  }
})

test("directory: a removal that would free more than a page has is refused before anything changes", (t) => {
  const image = spoiled((bytes) => {
    bytes[mapAt + 1] = 63
    markBlobs(bytes, 65, 60, true)
  })
  const before = Buffer.from(image)
  const directory = Directory.parse(image, "d")
  t.throws(() => directory.remove(bytes("name 79")), {
    instanceOf: FormatError,
    message: /63 free blobs in page 1 and one more entry/,
  })
  sameBytes(t, image, before)
})

test("directory: bytes behind the last page are kept until a page needs their place", (t) => {
  const image = Buffer.concat([spoiled(() => {}), Buffer.alloc(3000, 0xdd)])
  const directory = Directory.parse(image)
  t.deepEqual([directory.pageCount, directory.length], [2, 2 * pageSize + 3000])
  directory.add(bytes("one more"), root)
  t.true(directory.bytes.subarray(2 * pageSize).every((byte) => byte === 0xdd))
  for (let index = 0; directory.pageCount < 4; index++) directory.add(bytes(`and more ${index}`), root)
  t.is(directory.length, 4 * pageSize)
  t.is(findDirectoryFault(directory.bytes), undefined)
})
