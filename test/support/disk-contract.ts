/**
 * What every Disk promises (common/disk/disk.ts), as tests: a disk that passes them can stand in for the machine's.
 * A crashable or faulty disk passes them while nothing crashes or fails.
 */
import { join } from "node:path"
import test, { type ExecutionContext } from "ava"
import { type Disk, DiskError, isDiskError } from "../../common/disk/disk.ts"
import { seededRandom } from "./random.ts"

/** A disk to try, and an existing, empty folder on it. */
export interface DiskUnderTest {
  readonly disk: Disk
  readonly folder: string
}

type Maker = (t: ExecutionContext) => DiskUnderTest
type Promised = readonly [
  promise: string,
  check: (t: ExecutionContext, disk: Disk, folder: string) => void | Promise<void>,
]

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text)
const textOf = (content: Uint8Array | undefined): string | undefined =>
  content === undefined ? undefined : Buffer.from(content).toString("latin1")

function store(disk: Disk, path: string, content: string): void {
  using file = disk.open(path, "create", 0o644)
  file.write(bytes(content), 0)
}

/** The call fails with a DiskError of this errno that names the path. */
function refuses(t: ExecutionContext, code: string, path: string, work: () => unknown): void {
  const error = t.throws(work, { instanceOf: DiskError })
  t.is(error.code, code)
  t.true(error.message.includes(path), error.message)
}

const names = (disk: Disk, folder: string): string[] | undefined =>
  disk
    .list(folder)
    ?.map(({ name, isDirectory }) => (isDirectory ? `${name}/` : name))
    .sort()

const promises: readonly Promised[] = [
  [
    "a created file is empty, of the wanted mode, and what is written can be read back",
    (t, disk, folder) => {
      const path = join(folder, "f")
      using file = disk.open(path, "create", 0o600)
      t.is(file.path, path)
      t.is(file.stat().size, 0)
      t.is(file.stat().mode & 0o177, 0)
      file.write(bytes("hello"), 0)
      const into = new Uint8Array(5)
      t.is(file.read(into, 0), 5)
      t.is(textOf(into), "hello")
      t.is(textOf(disk.readFile(path)), "hello")
    },
  ],
  [
    "create refuses a name that exists, read and write one that does not",
    (t, disk, folder) => {
      const path = join(folder, "f")
      refuses(t, "ENOENT", path, () => disk.open(path, "read"))
      refuses(t, "ENOENT", path, () => disk.open(path, "write"))
      refuses(t, "ENOENT", join(path, "g"), () => disk.open(join(path, "g"), "create"))
      store(disk, path, "kept")
      refuses(t, "EEXIST", path, () => disk.open(path, "create"))
      refuses(t, "ENOTDIR", join(path, "g"), () => disk.open(join(path, "g"), "create"))
      t.is(textOf(disk.readFile(path)), "kept")
    },
  ],
  [
    "lock makes a file that is absent and leaves one that is there",
    (t, disk, folder) => {
      const path = join(folder, "f")
      disk.open(path, "lock", 0o660).close()
      t.is(disk.stat(path)?.size, 0)
      using file = disk.open(path, "write")
      file.write(bytes("x"), 0)
      disk.open(path, "lock").close()
      t.is(textOf(disk.readFile(path)), "x")
    },
  ],
  [
    "bytes are written where they are meant, beyond 2^32 too, and a hole reads as zeros",
    (t, disk, folder) => {
      using file = disk.open(join(folder, "f"), "create", 0o600)
      const far = 2 ** 32 + 5
      file.write(bytes("end"), far)
      t.is(file.stat().size, far + 3)
      file.write(bytes("ab"), 10)
      file.write(bytes("B"), 11)
      const into = new Uint8Array(16).fill(1)
      t.is(file.read(into, 0), 16)
      t.deepEqual(into, Uint8Array.of(0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 97, 66, 0, 0, 0, 0))
      t.is(file.read(into, far - 2), 5)
      t.is(file.readSome(into, far - 2), 5)
      t.deepEqual(into.subarray(0, 5), Uint8Array.of(0, 0, 101, 110, 100))
    },
  ],
  [
    "a read at or beyond the end gives fewer bytes, or none, and no error",
    (t, disk, folder) => {
      using file = disk.open(join(folder, "f"), "create", 0o600)
      file.write(bytes("abc"), 0)
      const into = new Uint8Array(5).fill(9)
      t.is(file.read(into, 1), 2)
      t.deepEqual(into, Uint8Array.of(98, 99, 9, 9, 9))
      t.is(file.readSome(into, 2), 1)
      t.deepEqual(into, Uint8Array.of(99, 99, 9, 9, 9))
      t.is(file.readSome(into, 3), 0)
      t.is(file.read(into, 3), 0)
      t.is(file.read(into, 1e9), 0)
      t.is(file.read(new Uint8Array(0), 0), 0)
    },
  ],
  [
    "a position that is none is refused, and no byte of the file changes",
    (t, disk, folder) => {
      using file = disk.open(join(folder, "f"), "create", 0o600)
      file.write(bytes("precious"), 0)
      for (const wrong of [-1, 0.5, Number.NaN, 2 ** 60]) {
        t.throws(() => file.write(bytes("x"), wrong), { instanceOf: RangeError })
        t.throws(() => file.read(new Uint8Array(1), wrong), { instanceOf: RangeError })
        t.throws(() => file.readSome(new Uint8Array(1), wrong), { instanceOf: RangeError })
        t.throws(() => file.truncate(wrong), { instanceOf: RangeError })
      }
      t.is(textOf(disk.readFile(file.path)), "precious")
    },
  ],
  [
    "truncate cuts, and lengthens with zeros",
    (t, disk, folder) => {
      using file = disk.open(join(folder, "f"), "create", 0o600)
      file.write(bytes("abcdef"), 0)
      file.truncate(2)
      file.truncate(4)
      t.deepEqual(new Uint8Array(disk.readFile(file.path) ?? []), Uint8Array.of(97, 98, 0, 0))
    },
  ],
  [
    "later reads and writes do what the others do, also past a megabyte",
    async (t, disk, folder) => {
      using file = disk.open(join(folder, "f"), "create", 0o600)
      const content = seededRandom(t).bytes(1_500_001)
      await file.writeLater(content, 3)
      await file.syncLater()
      const into = new Uint8Array(content.length + 10)
      t.is(await file.readLater(into, 0), content.length + 3)
      t.deepEqual(Buffer.compare(into.subarray(3, -7), content), 0)
      t.is(await file.readLater(into, 1e9), 0)
      await t.throwsAsync(file.writeLater(content, Number.NaN), { instanceOf: RangeError })
      await t.throwsAsync(file.readLater(into, -1), { instanceOf: RangeError })
    },
  ],
  [
    "a read that is ready gives what any read does, or nothing, and refuses what any read refuses",
    (t, disk, folder) => {
      const path = join(folder, "f")
      using file = disk.open(path, "create", 0o600)
      const content = seededRandom(t).bytes(200_001)
      file.write(content, 0)
      const into = new Uint8Array(content.length + 10)
      const whole = file.readReady(into, 0)
      if (whole !== undefined) {
        t.is(whole, content.length)
        t.is(Buffer.compare(into.subarray(0, -10), content), 0)
      }
      const end = file.readReady(into, content.length - 5)
      if (end !== undefined) {
        t.is(end, 5)
        t.deepEqual(into.subarray(0, 5), content.subarray(-5))
      }
      t.true([0, undefined].includes(file.readReady(into, 1e9)))
      t.true([0, undefined].includes(file.readReady(new Uint8Array(0), 0)))
      if (whole !== undefined) t.throws(() => file.readReady(into, -1), { instanceOf: RangeError })
      file.close()
      if (whole !== undefined) refuses(t, "EBADF", path, () => file.readReady(into, 0))
    },
  ],
  [
    "a file opened for reading cannot be written",
    (t, disk, folder) => {
      const path = join(folder, "f")
      store(disk, path, "abc")
      using file = disk.open(path, "read")
      refuses(t, "EBADF", path, () => file.write(bytes("x"), 0))
      t.is(textOf(disk.readFile(path)), "abc")
    },
  ],
  [
    "closing twice is harmless; a closed file refuses everything",
    async (t, disk, folder) => {
      const file = disk.open(join(folder, "f"), "create", 0o600)
      file.close()
      file.close()
      refuses(t, "EBADF", file.path, () => file.write(bytes("x"), 0))
      refuses(t, "EBADF", file.path, () => file.read(new Uint8Array(1), 0))
      refuses(t, "EBADF", file.path, () => file.readSome(new Uint8Array(1), 0))
      refuses(t, "EBADF", file.path, () => file.stat())
      refuses(t, "EBADF", file.path, () => file.truncate(0))
      refuses(t, "EBADF", file.path, () => file.sync())
      await t.throwsAsync(file.writeLater(bytes("x"), 0), { instanceOf: DiskError })
      await t.throwsAsync(file.syncLater(), { instanceOf: DiskError })
    },
  ],
  [
    "an open file outlives its name",
    (t, disk, folder) => {
      const path = join(folder, "f")
      using file = disk.open(path, "create", 0o600)
      file.write(bytes("abc"), 0)
      disk.unlink(path)
      t.is(disk.stat(path), undefined)
      const into = new Uint8Array(3)
      file.read(into, 0)
      t.is(textOf(into), "abc")
    },
  ],
  [
    "stat tells size, kind, mode and owner; what does not exist is undefined, not an error",
    (t, disk, folder) => {
      const path = join(folder, "f")
      store(disk, path, "abc")
      using file = disk.open(path, "write")
      file.setMode(0o640)
      const stat = disk.stat(path)
      t.like(stat, { size: 3, mode: 0o640, isFile: true, isDirectory: false })
      t.deepEqual(file.stat(), stat)
      file.setOwner(stat?.uid ?? -1, stat?.gid ?? -1)
      t.like(disk.stat(folder), { isFile: false, isDirectory: true })
      t.is(disk.stat(join(folder, "none")), undefined)
      t.is(disk.stat(join(path, "below-a-file")), undefined)
    },
  ],
  [
    "two names of a file have one identity, and other files another",
    (t, disk, folder) => {
      const [a, b, c] = ["a", "b", "c"].map((name) => join(folder, name)) as [string, string, string]
      store(disk, a, "1")
      disk.link(a, b)
      store(disk, c, "1")
      t.is(disk.stat(a)?.identity, disk.stat(b)?.identity)
      t.not(disk.stat(a)?.identity, disk.stat(c)?.identity)
      disk.unlink(a)
      t.is(textOf(disk.readFile(b)), "1")
    },
  ],
  [
    "link refuses a name that exists and leaves it as it was",
    (t, disk, folder) => {
      const [a, b] = [join(folder, "a"), join(folder, "b")]
      store(disk, a, "new")
      store(disk, b, "old")
      refuses(t, "EEXIST", b, () => disk.link(a, b))
      refuses(t, "ENOENT", join(folder, "x"), () => disk.link(join(folder, "none"), join(folder, "x")))
      t.is(textOf(disk.readFile(b)), "old")
    },
  ],
  [
    "rename puts the file in the place of another in one step",
    (t, disk, folder) => {
      const [a, b] = [join(folder, "a"), join(folder, "b")]
      store(disk, a, "new")
      store(disk, b, "old")
      disk.rename(a, b)
      t.deepEqual(names(disk, folder), ["b"])
      t.is(textOf(disk.readFile(b)), "new")
      refuses(t, "ENOENT", a, () => disk.rename(a, b))
    },
  ],
  [
    "list gives every name once, with its kind, and none of a folder that is not there",
    (t, disk, folder) => {
      t.deepEqual(disk.list(folder), [])
      store(disk, join(folder, "V0536870918.vol"), "x")
      store(disk, join(folder, "=+z"), "x")
      disk.mkdir(join(folder, "AFSIDat"), 0o700)
      t.deepEqual(names(disk, folder), ["=+z", "AFSIDat/", "V0536870918.vol"])
      t.is(disk.list(join(folder, "none")), undefined)
      t.is(disk.list(join(folder, "=+z")), undefined)
    },
  ],
  [
    "readFile of nothing is undefined; a folder is an error",
    (t, disk, folder) => {
      t.is(disk.readFile(join(folder, "none")), undefined)
      refuses(t, "EISDIR", folder, () => disk.readFile(folder))
    },
  ],
  [
    "mkdir refuses a name that exists and a parent that does not; rmdir a folder with something in it",
    (t, disk, folder) => {
      const inner = join(folder, "d")
      disk.mkdir(inner, 0o700)
      t.is(disk.stat(inner)?.mode, 0o700)
      refuses(t, "EEXIST", inner, () => disk.mkdir(inner, 0o700))
      refuses(t, "ENOENT", join(folder, "x", "y"), () => disk.mkdir(join(folder, "x", "y"), 0o700))
      store(disk, join(inner, "f"), "x")
      const full = t.throws(() => disk.rmdir(inner))
      t.true(isDiskError(full, "ENOTEMPTY", "EEXIST"))
      disk.unlink(join(inner, "f"))
      disk.rmdir(inner)
      t.is(disk.stat(inner), undefined)
      refuses(t, "ENOENT", inner, () => disk.rmdir(inner))
    },
  ],
  [
    "unlink removes a file, and refuses a folder and what is not there",
    (t, disk, folder) => {
      const path = join(folder, "f")
      store(disk, path, "x")
      disk.mkdir(join(folder, "d"), 0o700)
      disk.unlink(path)
      refuses(t, "ENOENT", path, () => disk.unlink(path))
      t.throws(() => disk.unlink(join(folder, "d")), { instanceOf: DiskError })
      t.deepEqual(names(disk, folder), ["d/"])
    },
  ],
  [
    "a symbolic link leads to its target, can be read, and is replaced by a rename",
    (t, disk, folder) => {
      const [path, target, other] = [join(folder, "l"), join(folder, "f"), join(folder, "g")]
      store(disk, target, "hello")
      disk.symlink("f", path)
      t.is(disk.readLink(path), "f")
      t.is(textOf(disk.readFile(path)), "hello")
      t.is(disk.stat(path)?.identity, disk.stat(target)?.identity)
      t.is(disk.readLink(target), undefined, "a plain file")
      t.is(disk.readLink(join(folder, "none")), undefined)
      refuses(t, "EEXIST", path, () => disk.symlink("g", path))
      store(disk, other, "other")
      disk.rename(other, path)
      t.is(disk.readLink(path), undefined)
      t.is(textOf(disk.readFile(path)), "other")
      t.is(textOf(disk.readFile(target)), "hello")
    },
  ],
  [
    "files and folders can be synced",
    (t, disk, folder) => {
      using file = disk.open(join(folder, "f"), "create", 0o600)
      file.write(bytes("x"), 0)
      file.sync()
      disk.syncDirectory(folder)
      refuses(t, "ENOENT", join(folder, "none"), () => disk.syncDirectory(join(folder, "none")))
      t.is(textOf(disk.readFile(file.path)), "x")
    },
  ],
  [
    "space: what is free for all is no more than what is free, and that no more than all",
    (t, disk, folder) => {
      const space = disk.space(folder)
      t.true(space.totalBytes > 0)
      t.true(space.availableBytes >= 0 && space.availableBytes <= space.freeBytes)
      t.true(space.freeBytes <= space.totalBytes)
      t.true(Number.isInteger(space.files))
      t.throws(() => disk.space(join(folder, "none")), { instanceOf: DiskError })
    },
  ],
]

/** Declares the tests of a disk. */
export function testDiskContract(name: string, make: Maker): void {
  for (const [promise, check] of promises) {
    test(`${name}: ${promise}`, async (t) => {
      const { disk, folder } = make(t)
      await check(t, disk, folder)
    })
  }
}
