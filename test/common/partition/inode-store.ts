import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs"
import { dirname, join } from "node:path"
import test, { type ExecutionContext } from "ava"
import { DiskError } from "../../../common/disk/disk.ts"
import { nodeDisk } from "../../../common/disk/node-disk.ts"
import { AfsError } from "../../../common/error.ts"
import { dataInode, inodeText, specialInode, specialTypes } from "../../../common/partition/inode-number.ts"
import { dataFileError, type FoundFile, InodeStore } from "../../../common/partition/inode-store.ts"
import { newLinkTable } from "../../../common/partition/link-table-format.ts"
import { encodeInode } from "../../../common/partition/namei-path.ts"
import { createPartition, openPartition } from "../../../common/partition/partition.ts"
import { cutDisk } from "../../support/cut-disk.ts"
import { cleanFixtures, fixtureManifest, possibleEncoding, unpackFixture } from "../../support/fixture.ts"
import { needsRoot } from "../../support/requirements.ts"
import { temporaryDirectory } from "../../support/temporary-directory.ts"

const group = 536_870_918

function storeIn(t: ExecutionContext, development: boolean, disk = nodeDisk): InodeStore {
  const path = join(temporaryDirectory(t), "vicepa")
  createPartition(path, { development })
  return new InodeStore(openPartition(path, disk), group)
}

/** A store of the kind that this user can have. */
const someStore = (t: ExecutionContext): InodeStore => storeIn(t, process.geteuid?.() !== 0)

/** Everything below a folder, folders with a slash. */
function tree(folder: string): string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .map((entry) => join(entry.parentPath, entry.name).slice(folder.length + 1) + (entry.isDirectory() ? "/" : ""))
    .sort()
}

test("inode store: a file is made where its number says, with the folders it needs, and only once", (t) => {
  const store = someStore(t)
  const inode = dataInode(2, 2, 2)
  {
    using file = store.create(inode, 3)
    file.write(Buffer.from("content"), 0)
  }
  t.deepEqual(
    tree(store.partition.path).filter((name) => !name.startsWith(".dafs")),
    [
      "AFSIDat/",
      "AFSIDat/4/",
      "AFSIDat/4/4+++U/",
      "AFSIDat/4/4+++U/+/",
      "AFSIDat/4/4+++U/+/+/",
      "AFSIDat/4/4+++U/+/+/0+++66",
    ],
  )
  for (const folder of ["AFSIDat/4", "AFSIDat/4/4+++U", "AFSIDat/4/4+++U/+"]) {
    t.is(statSync(join(store.partition.path, folder)).mode & 0o777, 0o700)
  }
  t.is(t.throws(() => store.create(inode, 3), { instanceOf: DiskError }).code, "EEXIST")
  t.is(readFileSync(store.path(inode), "latin1"), "content")
  t.is(store.stat(inode)?.size, 7)
})

test("inode store: opening never makes a file, and says which one is missing", (t) => {
  const store = someStore(t)
  const inode = dataInode(4, 9, 0)
  for (const mode of ["read", "write"] as const) {
    const error = t.throws(() => store.open(inode, mode), { instanceOf: DiskError })
    t.is(error.code, "ENOENT")
    t.is(error.path, store.path(inode))
  }
  t.is(store.stat(inode), undefined)
  t.throws(() => store.linkTable("read"), { instanceOf: DiskError })
  t.deepEqual(readdirSync(join(store.partition.path, "AFSIDat")), [])
})

test("inode store: removing what is not there is no error", (t) => {
  const store = someStore(t)
  const inode = dataInode(2, 2, 0)
  store.unlink(inode)
  store.create(inode, 0).close()
  store.unlink(inode)
  store.unlink(inode)
  t.is(store.stat(inode), undefined)
})

needsRoot("inode store: owner data of special and data files are those of the worked examples", (t) => {
  const store = storeIn(t, false)
  store.create(specialInode(group, "volumeInfo"), group).close()
  const info = store.stat(specialInode(group, "volumeInfo"))
  t.like(info, { uid: 6, gid: 16_384, mode: 0o1 })
  store.create(dataInode(2, 2, 2), 0x8000_0007).close()
  const data = store.stat(dataInode(2, 2, 2))
  t.like(data, { uid: 7, gid: 0, mode: 0o22 })
  if (info === undefined || data === undefined) return
  t.deepEqual(store.ownerOf(data), { parameter: 0x8000_0007, number: 2 })
  t.true(store.ownerMatches(info, { parameter: group, number: specialTypes.volumeInfo }))
  t.false(store.ownerMatches(info, { parameter: group + 1, number: specialTypes.volumeInfo }))
  using file = store.open(dataInode(2, 2, 2), "write")
  store.setOwner(file, { parameter: 0xf000_0001, number: 6 })
  t.like(store.stat(dataInode(2, 2, 2)), { uid: 1, gid: 24_576, mode: 0o36 })
})

test("inode store: in a development partition files are plain, and no owner data is claimed to exist", (t) => {
  const store = storeIn(t, true)
  store.create(specialInode(group, "volumeInfo"), group).close()
  const stat = store.stat(specialInode(group, "volumeInfo"))
  t.is(stat?.mode, 0o600)
  t.is(stat?.uid, process.geteuid?.())
  if (stat === undefined) return
  t.is(store.ownerOf(stat), undefined)
  t.true(store.ownerMatches(stat, { parameter: 99, number: 3 }))
})

test("inode store: a file whose owner data cannot be set is not left behind", (t) => {
  const plain = someStore(t)
  const inode = dataInode(2, 2, 0)
  plain.create(dataInode(4, 4, 0), 0).close() // the folders are there
  const kinds = new Set<string>()
  for (let at = 1; ; at++) {
    const disk = cutDisk({ at, how: "EIO" })
    const store = new InodeStore({ ...plain.partition, disk }, group)
    try {
      store.create(inode, 5).close()
      break
    } catch (error) {
      t.true(error instanceof DiskError)
      kinds.add(disk.history.at(-1)?.split(" ")[0] ?? "")
      t.is(plain.stat(inode), undefined)
    }
  }
  t.true(kinds.size >= 2, [...kinds].join())
  t.not(plain.stat(inode), undefined)
})

test("inode store: a whole file appears complete or not at all, whichever call fails", (t) => {
  const plain = someStore(t)
  const inode = specialInode(group, "linkTable")
  for (let at = 1; ; at++) {
    const disk = cutDisk({ at, how: "ENOSPC" })
    const store = new InodeStore({ ...plain.partition, disk }, group)
    try {
      store.createWhole(inode, group, newLinkTable())
    } catch (error) {
      t.true(error instanceof DiskError)
      t.is(plain.stat(inode), undefined, disk.history.at(-1))
      continue
    }
    t.deepEqual(new Uint8Array(readFileSync(plain.path(inode))), newLinkTable())
    if (!disk.isCut) break
    plain.unlink(inode)
  }
  t.is(t.throws(() => plain.createWhole(inode, group, newLinkTable()), { instanceOf: DiskError }).code, "EEXIST")
  t.deepEqual(
    tree(join(plain.partition.path, ".dafs")).filter((name) => !name.endsWith("development") && !name.endsWith("/")),
    [],
  )
  using file = plain.open(inode, "read")
  t.is(file.stat().size, 10)
})

test("inode store: a second name is given once; another file's is not taken", (t) => {
  const store = someStore(t)
  const [from, to, other] = [dataInode(2, 2, 0), dataInode(70_000, 3, 1), dataInode(4, 4, 0)]
  for (const inode of [from, other]) store.create(inode, 1).close()
  store.link(from, to)
  store.link(from, to)
  t.is(store.stat(from)?.identity, store.stat(to)?.identity)
  t.is(t.throws(() => store.link(from, other), { instanceOf: DiskError }).code, "EEXIST")
  t.is(t.throws(() => store.link(dataInode(8, 8, 0), dataInode(10, 8, 0)), { instanceOf: DiskError }).code, "ENOENT")
})

test("inode store: a file that moves keeps its bytes, gets its new owner data and replaces no other", (t) => {
  const store = someStore(t)
  const [from, to, other] = [dataInode(2, 2, 0), dataInode(2, 9, 3), dataInode(4, 4, 0)]
  for (const inode of [from, other]) {
    using file = store.create(inode, 1)
    file.write(Buffer.from(inodeText(inode)), 0)
  }
  t.is(t.throws(() => store.move(from, other, 7), { instanceOf: DiskError }).code, "EEXIST")
  for (const inode of [from, other]) t.is(readFileSync(store.path(inode), "latin1"), inodeText(inode))
  store.link(from, to) // as far as an earlier try came
  for (const _ of ["first", "again"]) {
    store.move(from, to, 0x8000_0007)
    t.is(store.stat(from), undefined)
    t.is(readFileSync(store.path(to), "latin1"), inodeText(from))
    const stat = store.stat(to)
    t.true(stat !== undefined && store.ownerMatches(stat, { parameter: 0x8000_0007, number: 3 }))
  }
})

for (const name of cleanFixtures) {
  test(`inode store: ${name}: every file of OpenAFS's is found at its number's place, with its owner data`, (t) => {
    const path = join(temporaryDirectory(t), "vicepa")
    unpackFixture(name, path)
    const partition = openPartition(path)
    const { volumes } = fixtureManifest(name)
    const wanted = new Set<string>()
    for (const volume of volumes) {
      const types = ["volumeInfo", "smallIndex", "largeIndex"] as const
      for (const type of types) wanted.add(`${volume.parentId} ${inodeText(specialInode(volume.id, type))}`)
      wanted.add(`${volume.parentId} ${inodeText(specialInode(volume.parentId, "linkTable"))}`)
      for (const { inode } of volume.vnodes) wanted.add(`${volume.parentId} ${inode}`)
    }
    const found = new Set<string>()
    for (const group of new Set(volumes.map((volume) => volume.parentId))) {
      for (const file of new InodeStore(partition, group).files()) found.add(judged(t, group, file))
    }
    t.deepEqual([...found].sort(), [...wanted].sort())
  })
}

/** Group and inode of a sound file. */
function judged(t: ExecutionContext, group: number, { inode, owner, path }: FoundFile): string {
  if (inode === undefined) return `${group} ${path}`
  if (possibleEncoding === "openafs") {
    const isSpecial = path.includes("/special/")
    const number = (inode.low >>> 26) & 7
    t.is(owner?.number, number, path)
    if (isSpecial) t.is(owner?.parameter, inode.high, path)
  } else t.is(owner, undefined)
  return `${group} ${inodeText(inode)}`
}

test("inode store: special files come first, so that whoever reads the rest knows the volumes", (t) => {
  const store = someStore(t)
  store.create(dataInode(2, 2, 0), 0).close()
  store.create(specialInode(group, "volumeInfo"), group).close()
  store.create(dataInode(600, 3, 0), 0).close()
  const special = [...store.files()].map(({ path }) => path.includes("/special/"))
  t.deepEqual(special, [true, false, false])
})

test("inode store: names that are no numbers, or not where they belong, are listed without one", (t) => {
  const store = someStore(t)
  store.create(dataInode(2, 2, 0), 0).close()
  const folder = dirname(store.path(dataInode(2, 2, 0)))
  writeFileSync(join(folder, "notes.txt"), "x")
  writeFileSync(join(folder, "=++++2+"), "x") // a digit too many
  const misplaced = encodeInode(dataInode(1024, 1, 0))
  writeFileSync(join(folder, misplaced), "x")
  mkdirSync(join(folder, "folder"))
  symlinkSync("/dev/null", join(folder, "=++++2")) // vnode 1, if it were a file
  const found = [...store.files()].map(({ path, inode }) => [path.slice(folder.length + 1), inode])
  t.deepEqual(Object.fromEntries(found), {
    "0++++6": dataInode(2, 2, 0),
    "notes.txt": undefined,
    "=++++2+": undefined,
    [misplaced]: undefined,
  })
})

test("inode store: a group that is not there has no files", (t) => {
  const store = someStore(t)
  t.deepEqual([...store.files()], [])
  t.deepEqual(store.volumes(), [])
})

test("inode store: the volumes of a group are those with special files, its link table aside", (t) => {
  const store = someStore(t)
  store.create(specialInode(group, "linkTable"), group).close()
  t.deepEqual(store.volumes(), [])
  store.create(specialInode(4_026_531_841, "smallIndex"), 4_026_531_841).close()
  store.create(specialInode(group + 1, "volumeInfo"), group + 1).close()
  store.create(specialInode(group + 1, "largeIndex"), group + 1).close()
  t.deepEqual(store.volumes(), [group + 1, 4_026_531_841])
})

test("inode store: folders go with the last file; a file that is left keeps what leads to it", (t) => {
  const store = someStore(t)
  const [first, second] = [dataInode(2, 2, 0), dataInode(70_000, 3, 0)]
  for (const inode of [first, second]) store.create(inode, 0).close()
  store.create(specialInode(group, "linkTable"), group).close()
  store.unlink(first)
  store.unlink(specialInode(group, "linkTable"))
  t.false(store.removeFolders())
  t.true(existsSync(store.path(second)))
  t.false(existsSync(dirname(store.path(first))))
  t.false(existsSync(`${store.root}/special`))
  store.unlink(second)
  t.true(store.removeFolders())
  t.false(existsSync(store.root))
  t.true(existsSync(dirname(store.root)), "the folder of 256 groups stays")
  t.true(store.removeFolders())
})

test("inode store: a folder that is a link to elsewhere is not followed when folders go", (t) => {
  const store = someStore(t)
  const elsewhere = temporaryDirectory(t)
  mkdirSync(join(elsewhere, "kept"))
  store.create(dataInode(2, 2, 0), 0).close()
  symlinkSync(elsewhere, join(store.root, "link"))
  store.unlink(dataInode(2, 2, 0))
  t.false(store.removeFolders())
  t.true(existsSync(join(elsewhere, "kept")))
})

test("inode store: a failed file call on data is told with volume and vnode; a full disk is told as such", (t) => {
  const full = new DiskError("write", "/x", Object.assign(new Error(), { code: "ENOSPC" }))
  const broken = new DiskError("write", "/x", Object.assign(new Error(), { code: "EIO" }))
  const told = dataFileError(full, "storeData", 5, 2)
  t.true(told instanceof AfsError)
  t.is(told.code, "VDISKFULL")
  t.deepEqual(told.subject, { volume: 5, vnode: 2 })
  t.is(dataFileError(broken, "storeData", 5, 2).code, "VIO")
})

if (process.geteuid?.() !== 0) {
  test("inode store: a folder that may not be read is an error, not a group without files", (t) => {
    const store = someStore(t)
    store.create(dataInode(2, 2, 0), 0).close()
    chmodSync(store.root, 0)
    t.teardown(() => chmodSync(store.root, 0o700))
    t.throws(() => [...store.files()], { instanceOf: DiskError })
  })
}
