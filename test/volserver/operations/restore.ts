import { readdirSync, statSync } from "node:fs"
import { join } from "node:path"
import test from "ava"
import { isDiskError } from "../../../common/disk/disk.ts"
import { AfsError, FormatError, isAfsError } from "../../../common/error.ts"
import { openVolume } from "../../../common/volume/volume.ts"
import { backupVolume } from "../../../volserver/operations/backup.ts"
import { sampleTree, type Tree, treeDump } from "../../support/dump-builder.ts"
import { fuzz } from "../../support/random.ts"
import { infoOnDisk } from "../../support/served-volumes.ts"
import { volumeRig } from "../../support/volume-rig.ts"

const firstTree: Tree = { a: "first a", sub: { folder: { b: "first b", c: "c" } }, gone: "x" }
const secondTree: Tree = { a: "second a, longer", sub: { folder: { b: "first b" } }, added: { folder: { d: "d" } } }

test("restore: a dump of ours comes back as the same tree, with the same numbers", async (t) => {
  const rig = volumeRig(t)
  const id = await rig.volume("sample", sampleTree)
  const copy = await rig.restore(await rig.dump(id), { name: "copy" })
  t.not(copy.id, id)
  t.deepEqual(rig.tree(copy.id), rig.tree(id))
  t.deepEqual(rig.problems(), [])
})

test("restore: over a volume, everything becomes what the dump says, and clones keep what they had", async (t) => {
  const rig = volumeRig(t)
  const id = await rig.volume("v", firstTree)
  const { id: backup } = await backupVolume(rig.context, rig.place(id))
  const before = rig.tree(backup)
  await rig.restore(treeDump(secondTree, { name: "v" }), { name: "v", overwrite: "full" })
  const wanted = await rig.volume("wanted", secondTree)
  t.deepEqual(rig.tree(id), rig.tree(wanted))
  t.deepEqual(rig.tree(backup), before)
  t.deepEqual(rig.problems(), [])
})

test("restore: incremental dumps applied one after the other give the volume as it was last dumped", async (t) => {
  const rig = volumeRig(t)
  const source = await rig.volume("source", firstTree)
  const full = await rig.dump(source)
  await rig.restore(treeDump(secondTree, { name: "source", date: 1_750_000_000 }), {
    name: "source",
    overwrite: "full",
  })
  const changes = await rig.dump(source, { from: 1_720_000_000 })
  const { id } = await rig.restore(full, { name: "copy" })
  await rig.restore(changes, { name: "copy", overwrite: "incremental" })
  t.deepEqual(rig.tree(id), rig.tree(source))
  t.deepEqual(rig.problems(), [])
})

test("restore: what an incremental dump does not mention goes, what it mentions without contents stays", async (t) => {
  const rig = volumeRig(t)
  const id = await rig.volume("v", firstTree)
  const bare = await rig.dump(id, { from: 0xffff_ffff, omitDirectories: true })
  const before = rig.tree(id)
  await rig.restore(bare, { name: "v", overwrite: "incremental" })
  t.deepEqual(rig.tree(id), before)
})

// OpenAFS restores an incremental dump into whatever it is told to, and the names of all unchanged files lead nowhere.
test("restore: an incremental dump that does not fit the volume is refused, and the volume is untouched", async (t) => {
  const rig = volumeRig(t)
  const source = await rig.volume("source", sampleTree)
  const changes = await rig.dump(source, { from: 0xffff_ffff })
  const id = await rig.volume("v", firstTree)
  const before = rig.tree(id)
  const error = await t.throwsAsync(rig.restore(changes, { name: "v", overwrite: "incremental" }), {
    instanceOf: AfsError,
  })
  t.is(error.code, "EINVAL")
  t.regex(error.message, /restore the dump that goes before this one first/)
  t.deepEqual(rig.tree(id), before)
  await t.throwsAsync(rig.restore(changes, { name: "new" }), { message: /this is an incremental dump/ })
  t.is(rig.problems().length, 0)
  t.deepEqual(
    readdirSync(join(rig.partition.path, ".dafs")).filter((name) => name.startsWith("V")),
    [],
  )
})

test("restore: a volume that exists is not overwritten unless that was asked for", async (t) => {
  const rig = volumeRig(t)
  const id = await rig.volume("v", firstTree)
  const error = await t.throwsAsync(rig.restore(treeDump(secondTree, { name: "v" })), { instanceOf: AfsError })
  t.is(error.code, "VVOLEXISTS")
  t.regex(error.message, /--overwrite/)
  await t.throwsAsync(rig.restore(treeDump(secondTree), { name: "other", id, overwrite: "abort" }), {
    code: "VVOLEXISTS",
  })
})

for (const [title, spoil] of [
  ["cut short", (dump: Buffer) => dump.subarray(0, dump.length - 100)],
  ["cut off at its end mark", (dump: Buffer) => dump.subarray(0, dump.length - 4)],
  ["followed by other bytes", (dump: Buffer) => Buffer.concat([dump, Buffer.alloc(1)])],
  ["with a wrong end mark", (dump: Buffer) => Buffer.concat([dump.subarray(0, dump.length - 1), Buffer.from([0])])],
  ["empty", () => Buffer.alloc(0)],
  ["something else", () => Buffer.from("%PDF-1.4")],
  ["with every vnode twice", (dump: Buffer) => doubled(dump)],
] as const) {
  // davolserver puts a volume online with whatever part of a broken dump arrived.
  test(`restore: a dump that is ${title} changes nothing: a new volume is removed, an old one untouched`, async (t) => {
    const rig = volumeRig(t)
    const id = await rig.volume("v", firstTree)
    const { id: backup } = await backupVolume(rig.context, rig.place(id))
    const before = [rig.tree(id), rig.tree(backup), infoOnDisk(rig.partition, id)]
    const bad = spoil(treeDump(secondTree, { name: "v" }))
    for (const overwrite of ["full", "incremental"] as const) {
      const error = await t.throwsAsync(rig.restore(bad, { name: "v", overwrite }), { instanceOf: FormatError })
      t.regex(error.message, /dump/)
    }
    await t.throwsAsync(rig.restore(bad, { name: "new" }), { instanceOf: FormatError })
    t.deepEqual([rig.tree(id), rig.tree(backup), infoOnDisk(rig.partition, id)], before)
    t.is(readdirSync(rig.partition.path).filter((name) => name.endsWith(".vol")).length, 2)
    t.deepEqual(rig.problems(), [])
  })
}

/** The vnodes of a dump come a second time. */
function doubled(dump: Buffer): Buffer {
  const start = dump.indexOf(Buffer.from([3, 0, 0, 0, 1, 0, 0, 0, 1]))
  const end = dump.length - 5
  return Buffer.concat([dump.subarray(0, end), dump.subarray(start)])
}

test("restore: a dump without a root directory is refused where it would take one away, and noted where there is none", async (t) => {
  const rig = volumeRig(t)
  const id = await rig.volume("v", firstTree)
  const whole = treeDump({}, { name: "v" })
  const start = whole.indexOf(Buffer.from([3, 0, 0, 0, 1, 0, 0, 0, 1]))
  const rootless = Buffer.concat([whole.subarray(0, start), whole.subarray(whole.length - 5)])
  const before = rig.tree(id)
  await t.throwsAsync(rig.restore(rootless, { name: "v", overwrite: "full" }), { message: /no root directory/ })
  t.deepEqual(rig.tree(id), before)
  await rig.restore(rootless, { name: "new" })
  t.true(rig.notices.some((text) => text.includes("no root directory")))
})

// A dump of a damaged volume was restored without a word, and its users found out what was missing.
test("restore: damaged directories and links are restored as they are, and each is told of", async (t) => {
  const rig = volumeRig(t)
  const dump = treeDump({ link: { link: "target" }, empty: { link: "" }, sub: { folder: { a: "x" } } }, { name: "v" })
  const patched = Buffer.from(dump)
  patched[patched.indexOf("target") + 3] = 0
  const page = patched.indexOf(Buffer.from([0x04, 0xd2])) // the tag of the root directory's first page
  patched[page] = 0x7f
  await rig.restore(patched, { name: "v" })
  const told = rig.notices.map((text) => /vnode \d+\.\d+ is a (.*);/.exec(text)?.[1] ?? text).sort()
  t.is(told.length, 3)
  t.regex(told[0] ?? "", /^damaged directory: offset \d+, page 0 has tag/)
  t.deepEqual(told.slice(1), ["symbolic link that says nothing", "symbolic link with a NUL as byte 3"])
})

test("restore: a large directory is looked at too", async (t) => {
  const rig = volumeRig(t)
  const folder = Object.fromEntries(Array.from({ length: 9000 }, (_, index) => [`a-name-of-some-length-${index}`, "x"]))
  const dump = treeDump(folder, { name: "v" })
  await rig.restore(dump, { name: "sound" })
  t.deepEqual(rig.notices, [])
  const patched = Buffer.from(dump)
  patched[patched.indexOf(Buffer.from([0x04, 0xd2])) + 2048 * 130] = 0x7f
  await rig.restore(patched, { name: "damaged" })
  t.regex(rig.notices.join(), /vnode 1\.1 is a damaged directory: offset 2662\d\d, page 130 has tag/)
})

test("dump: an access list that nobody could restore is left out, and told of", async (t) => {
  const rig = volumeRig(t)
  const id = await rig.volume("v", firstTree)
  {
    using volume = openVolume(rig.partition, id, "write")
    volume.large.file.write(new Uint8Array(192), 256 + 64)
  }
  const dump = await rig.dump(id)
  t.regex(rig.notices.join(), /vnode 1: its access list is left out of the dump/)
  await rig.restore(dump, { name: "copy" })
  t.regex(rig.notices.join(), /vnode 1\.1 is a directory without access list/)
})

test("restore: holes are holes again, and lengths are exact", async (t) => {
  const rig = volumeRig(t)
  const data = Buffer.alloc(1_000_001)
  data.write("start", 0)
  data.write("middle", 500_000)
  const id = await rig.volume("v", {
    sparse: { file: data },
    zeros: { file: Buffer.alloc(40_960) },
    tail: { file: Buffer.alloc(5000) },
  })
  using volume = openVolume(rig.partition, id, "read")
  const files = [...volume.small.records()].map(({ vnode, record }) => {
    using file = volume.openData(vnode, record)
    return statSync(file?.path ?? "")
  })
  t.deepEqual(
    files.map(({ size }) => size),
    [1_000_001, 40_960, 5000],
  )
  const [sparse, zeros] = files
  t.true((sparse?.blocks ?? 0) * 512 < 100_000, `${sparse?.blocks} blocks`)
  t.is(zeros?.blocks, 0)
  t.deepEqual(rig.problems(), [])
})

test("restore: what the dump counts wrong is counted anew", async (t) => {
  const rig = volumeRig(t)
  const dump = treeDump(firstTree, { name: "v" })
  for (const tag of ["d", "f", "u"]) {
    const at = dump.indexOf(Buffer.from(tag), dump.indexOf(Buffer.from([2, 0x69])))
    dump.writeUInt32BE(1, at + 1)
  }
  await rig.restore(dump, { name: "v" })
  t.deepEqual(rig.problems(), [])
})

test("restore: dates, type and service are as asked", async (t) => {
  const rig = volumeRig(t)
  const dump = treeDump(firstTree, { name: "v", date: 1_600_000_000 })
  const fresh = infoOnDisk(rig.partition, (await rig.restore(dump, { name: "a" })).id)
  t.like(fresh, {
    creationDate: 1_800_000_000,
    updateDate: 1_600_000_000,
    copyDate: 1_800_000_000,
    type: 0,
    inService: 1,
  })
  const rules = { creation: "dump", lastUpdate: "new" } as const
  const dumped = infoOnDisk(rig.partition, (await rig.restore(dump, { name: "b", ...rules })).id)
  t.like(dumped, { creationDate: 1_600_000_000, updateDate: 1_800_000_000 })
  const readonly = infoOnDisk(rig.partition, (await rig.restore(dump, { name: "c", readonly: true, offline: true })).id)
  t.like(readonly, { type: 1, inService: 0 })
  await t.throwsAsync(rig.restore(dump, { name: "a", overwrite: "full", readonly: true }), { code: "EINVAL" })
})

test("restore: a name that is taken, or none, is refused before anything is made", async (t) => {
  const rig = volumeRig(t)
  await rig.volume("v", firstTree)
  const dump = treeDump(firstTree, { name: "v" })
  for (const name of ["", "a/b", "x".repeat(32)]) {
    await t.throwsAsync(rig.restore(dump, { name }), { code: "EINVAL" }, name)
  }
  await t.throwsAsync(rig.restore(dump, { name: "v", id: 999 }), { code: "VVOLEXISTS" })
})

test("restore: interrupted, it takes everything back", async (t) => {
  const controller = new AbortController()
  const rig = volumeRig(t, { signal: controller.signal })
  const tree: Tree = Object.fromEntries(Array.from({ length: 300 }, (_, index) => [`file${index}`, { size: 20_000 }]))
  const id = await rig.volume("v", firstTree)
  const before = rig.tree(id)
  const dump = treeDump(tree, { name: "v" })
  let at = 0
  const source = {
    read(into: Uint8Array): number {
      const until = performance.now() + 5 // as slow as a tape
      while (performance.now() < until);
      const count = Math.min(into.length, 50_000, dump.length - at)
      into.set(dump.subarray(at, at + count))
      at += count
      if (at > dump.length / 2) controller.abort()
      return count
    },
  }
  await t.throwsAsync(rig.restore(dump, { source, name: "v", overwrite: "full" }), { code: "INTERRUPTED" })
  t.deepEqual(rig.tree(id), before)
  t.deepEqual(rig.problems(), [])
})

test("restore: no dump, however spoilt, harms the volume that it fails on", async (t) => {
  const rig = volumeRig(t)
  const id = await rig.volume("v", firstTree)
  const before = JSON.stringify(rig.tree(id))
  const good = treeDump({ ...secondTree, big: { size: 5000 } }, { name: "v" })
  const attempts: { bytes: Buffer; overwrite: "full" | "incremental" }[] = []
  fuzz(t, (random) => {
    const bytes = Buffer.from(good)
    for (let flips = random.below(6); flips >= 0; flips--) bytes[random.below(bytes.length)] = random.below(256)
    const end = random.below(8) === 0 ? random.below(bytes.length) : bytes.length
    if (attempts.length < 400)
      attempts.push({ bytes: bytes.subarray(0, end), overwrite: random.pick(["full", "incremental"]) })
  })
  let refused = 0
  for (const { bytes, overwrite } of attempts) {
    try {
      await rig.restore(bytes, { name: "v", id, overwrite })
      await rig.restore(treeDump(firstTree, { name: "v" }), { name: "v", id, overwrite: "full" })
    } catch (error) {
      refused++
      t.true(error instanceof FormatError || isAfsError(error) || isDiskError(error), String(error))
      t.is(JSON.stringify(rig.tree(id)), before)
    }
  }
  t.log(`${refused} of ${attempts.length} refused`)
  t.true(refused > 0)
})
