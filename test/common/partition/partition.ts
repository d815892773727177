import { chmodSync, chownSync, existsSync, mkdirSync, readdirSync, statSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import test, { type ExecutionContext } from "ava"
import { AfsError, isAfsError } from "../../../common/error.ts"
import { InodeStore } from "../../../common/partition/inode-store.ts"
import {
  createPartition,
  fullPartitionName,
  headerName,
  headerPath,
  headerVolume,
  listHeaderNames,
  makeOwnFolder,
  openPartition,
  partitionIndex,
  partitionName,
  partitionsAmong,
} from "../../../common/partition/partition.ts"
import { builtProgram } from "../../support/project.ts"
import { needsRoot } from "../../support/requirements.ts"
import { outputOf } from "../../support/spawned.ts"
import { temporaryDirectory } from "../../support/temporary-directory.ts"

const nobody = 65_534
const isRoot = process.geteuid?.() === 0
const program = builtProgram("test/common/partition/partition.program.ts")

/** What the program says when this user does it. */
async function asUser(user: number, action: string, path: string): Promise<Record<string, unknown>> {
  return JSON.parse(await outputOf(process.execPath, [program, String(user), action, path]))
}

/** A folder that other users can reach, for the partitions of a test. */
function openFolder(t: ExecutionContext): string {
  const folder = temporaryDirectory(t)
  chmodSync(folder, 0o755)
  return folder
}

test("partition: names and numbers, from a to the 255th", (t) => {
  const known = { "/vicepa": 0, "/vicepz": 25, "/vicepaa": 26, "/vicepab": 27, "/vicepba": 52, "/vicepiu": 254 }
  for (const [name, index] of Object.entries(known)) {
    t.is(partitionIndex(name), index)
    t.is(partitionName(index), name)
  }
  for (let index = 0; index < 255; index++) t.is(partitionIndex(partitionName(index)), index)
  for (const other of ["/vicep", "/vicepA", "/vicep1", "/vicepabc", "/vicepiv", "/x/vicepa", "/vicepa/", "vicep a"]) {
    t.is(partitionIndex(other), -1, other)
  }
})

test("partition: what people type is completed", (t) => {
  t.deepEqual(["a", "ab", "vicepa", "/vicepab", "abc", "/tmp/vicepa", "A"].map(fullPartitionName), [
    "/vicepa",
    "/vicepab",
    "/vicepa",
    "/vicepab",
    "abc",
    "/tmp/vicepa",
    "A",
  ])
})

test("partition: header files are found by V, a decimal id and .vol, and written with ten digits", (t) => {
  t.is(headerName(536_870_918), "V0536870918.vol")
  t.is(headerName(4_026_531_841), "V4026531841.vol")
  t.is(headerPath({ path: "/vicepa" }, 5), "/vicepa/V0000000005.vol")
  const names: Record<string, number | undefined> = {
    "V0536870918.vol": 536_870_918,
    "V4026531841.vol": 4_026_531_841,
    "V12.vol": 12,
    "V0000000000012.vol": 12,
    "V12.old.vol": 12,
    "V4294967295.vol": 4_294_967_295,
    "V4294967296.vol": undefined,
    "V0.vol": undefined,
    "V.vol": undefined,
    "Vx.vol": undefined,
    "V-1.vol": undefined,
    V12: undefined,
    "V12.vol.bak": undefined,
    "v12.vol": undefined,
    "xV12.vol": undefined,
  }
  for (const [name, volume] of Object.entries(names)) t.is(headerVolume(name), volume, name)
})

test("partition: header files are listed by id, and nothing else is", (t) => {
  const path = join(temporaryDirectory(t), "vicepa")
  const partition = createPartition(path, { development: true })
  for (const name of ["V4026531841.vol", "V0536870918.vol", "V12.vol", "AlwaysAttach", "V12.txt"]) {
    writeFileSync(join(path, name), "")
  }
  mkdirSync(join(path, "V0000000099.vol"))
  t.deepEqual(listHeaderNames(partition), [
    { volume: 12, name: "V12.vol" },
    { volume: 536_870_918, name: "V0536870918.vol" },
    { volume: 4_026_531_841, name: "V4026531841.vol" },
  ])
})

test("partition: a new development partition says so, and is opened as one", (t) => {
  const path = join(temporaryDirectory(t), "vicepb")
  const made = createPartition(path, { development: true })
  t.like(made, { path, name: "/vicepb", index: 1, ownerEncoding: "development" })
  t.deepEqual(readdirSync(path).sort(), [".dafs", "AFSIDat"])
  t.is(statSync(join(path, "AFSIDat")).mode & 0o777, 0o700)
  t.is(openPartition(path).ownerEncoding, "development")
})

test("partition: a directory with volumes is not made a partition again", (t) => {
  const folder = temporaryDirectory(t)
  const [used, header] = [join(folder, "vicepa"), join(folder, "vicepb")]
  createPartition(used, { development: true })
  const error = t.throws(() => createPartition(used, { development: true }), { instanceOf: AfsError })
  t.is(error.code, "EEXIST")
  mkdirSync(header)
  writeFileSync(join(header, "V0536870918.vol"), "")
  t.true(
    isAfsError(
      t.throws(() => createPartition(header, { development: true })),
      "EEXIST",
    ),
  )
  t.deepEqual(readdirSync(header), ["V0536870918.vol"])
})

test("partition: making one goes on where an earlier try broke off", (t) => {
  const path = join(temporaryDirectory(t), "vicepa")
  mkdirSync(join(path, ".dafs"), { recursive: true })
  writeFileSync(join(path, ".dafs", "development"), "")
  t.is(createPartition(path, { development: true }).ownerEncoding, "development")
  t.true(existsSync(join(path, "AFSIDat")))
})

test("partition: what is no directory, or not there, is said to be so", (t) => {
  const folder = temporaryDirectory(t)
  writeFileSync(join(folder, "vicepa"), "")
  for (const name of ["vicepa", "vicepb"]) {
    t.true(
      isAfsError(
        t.throws(() => openPartition(join(folder, name))),
        "ENOENT",
      ),
      name,
    )
  }
})

test("partition: a directory of any name can be one, without a number", (t) => {
  const path = join(temporaryDirectory(t), "data")
  t.like(createPartition(path, { development: true }), { name: "/data", index: -1 })
})

needsRoot("partition: without a marker root uses OpenAFS's owners; with one it never does", (t) => {
  const folder = temporaryDirectory(t)
  t.is(createPartition(join(folder, "vicepa"), { development: false }).ownerEncoding, "openafs")
  t.is(openPartition(join(folder, "vicepa")).ownerEncoding, "openafs")
  t.false(existsSync(join(folder, "vicepa", ".dafs")))
  mkdirSync(join(folder, "vicepb"))
  chownSync(join(folder, "vicepb"), nobody, nobody)
  const development = createPartition(join(folder, "vicepb"), { development: true })
  using file = new InodeStore(development, 5).create({ high: 1, low: 1 }, 0)
  file.write(new Uint8Array(1), 0)
  makeOwnFolder(development, "drafts")
  t.is(file.path, join(folder, "vicepb/AFSIDat/3/3/+/+/=++++2"))
  const made = [".dafs", ".dafs/development", ".dafs/drafts", "AFSIDat", "AFSIDat/3", "AFSIDat/3/3/+/+/=++++2"]
  for (const name of made) {
    t.like(statSync(join(folder, "vicepb", name)), { uid: nobody, gid: nobody }, name)
  }
})

needsRoot("partition: a directory marked for development is not made an OpenAFS partition", (t) => {
  const path = join(temporaryDirectory(t), "vicepa")
  mkdirSync(join(path, ".dafs"), { recursive: true })
  writeFileSync(join(path, ".dafs", "development"), "")
  const error = t.throws(() => createPartition(path, { development: false }), { instanceOf: AfsError })
  t.is(error.code, "EEXIST")
  t.regex(error.message, /marked as a development partition/)
  t.false(existsSync(join(path, "AFSIDat")))
})

needsRoot("partition: a user without root makes and uses a development partition of their own", async (t) => {
  const folder = openFolder(t)
  chownSync(folder, nobody, nobody)
  const path = join(folder, "vicepa")
  const wanted = { path, name: "/vicepa", index: 0, ownerEncoding: "development" }
  t.deepEqual(await asUser(nobody, "create-development", path), wanted)
  t.deepEqual(await asUser(nobody, "open", path), wanted)
  t.deepEqual(await asUser(0, "open", path), wanted)
})

needsRoot("partition: a user without root is refused an OpenAFS partition, and told what to use instead", async (t) => {
  const folder = openFolder(t)
  const path = join(folder, "vicepa")
  createPartition(path, { development: false })
  const refusal = await asUser(nobody, "open", path)
  t.is(refusal["code"], "EACCES")
  t.regex(String(refusal["message"]), /needs root; without root use a development partition \(dafs partition create/)
  chownSync(folder, nobody, nobody)
  const making = await asUser(nobody, "create", join(folder, "vicepb"))
  t.is(making["code"], "EACCES")
  t.false(existsSync(join(folder, "vicepb")), "nothing was made")
})

needsRoot("partition: a user without root is refused another user's development partition", async (t) => {
  const folder = openFolder(t)
  const path = join(folder, "vicepa")
  createPartition(path, { development: true })
  const hidden = await asUser(nobody, "open", path)
  t.is(hidden["code"], "EACCES")
  t.regex(String(hidden["message"]), /belongs to another user/)
  chmodSync(join(path, ".dafs"), 0o755)
  const seen = await asUser(nobody, "open", path)
  t.is(seen["code"], "EACCES")
  t.regex(String(seen["message"]), /this development partition belongs to user 0/)
  mkdirSync(join(folder, "vicepb"))
  t.is((await asUser(nobody, "create-development", join(folder, "vicepb")))["code"], "EACCES")
  t.deepEqual(readdirSync(join(folder, "vicepb")), [])
})

if (!isRoot) {
  test("partition: without root an OpenAFS partition is refused", (t) => {
    const path = join(temporaryDirectory(t), "vicepa")
    mkdirSync(join(path, "AFSIDat"), { recursive: true })
    const error = t.throws(() => openPartition(path), { instanceOf: AfsError })
    t.is(error.code, "EACCES")
    t.regex(error.message, /needs root; without root use a development partition/)
  })
}

test("partition: those of a machine are mounts without NeverAttach and directories with AlwaysAttach", (t) => {
  const mounts = [
    "/dev/sda1 / ext4 rw 0 0",
    "/dev/sdb1 /vicepa ext4 rw 0 0",
    "/dev/sdc1 /vicepb ext4 rw 0 0",
    "/dev/sdd1 /vicepc ext4 rw 0 0",
    "/dev/sde1 /vicepaa ext4 rw 0 0",
    "/dev/sdf1 /vicepX ext4 rw 0 0",
    "/dev/sdg1 /vicepa/inner ext4 rw 0 0",
    "",
  ].join("\n")
  const candidate = (path: string, marks = ""): Parameters<typeof partitionsAmong>[1][number] => ({
    path,
    alwaysAttach: marks.includes("A"),
    neverAttach: marks.includes("N"),
  })
  const found = partitionsAmong(mounts, [
    candidate("/vicepaa"),
    candidate("/vicepa"),
    candidate("/vicepb", "N"),
    candidate("/vicepc", "AN"),
    candidate("/vicepd", "A"),
    candidate("/vicepe"),
    candidate("/vicepf", "N"),
    candidate("/vicepX", "A"),
    candidate("/vicepa/inner", "A"),
  ])
  t.deepEqual(found, ["/vicepa", "/vicepc", "/vicepd", "/vicepaa"])
})

/** A root of its own: what / has, and beside it partitions of which some are mounts. */
const rootScript = `set -e
root="$1"
mount -t tmpfs dafs-test "$root"
for entry in /*; do
  name=\${entry#/}
  case "$name" in vicep*) continue;; esac
  if [ -L "$entry" ]; then cp -P "$entry" "$root/$name"
  elif [ -d "$entry" ]; then mkdir "$root/$name"; mount --rbind "$entry" "$root/$name"; fi
done
for name in vicepa vicepb vicepc vicepd vicepe vicepaa vicepX; do mkdir "$root/$name"; done
for name in vicepa vicepb vicepc vicepX; do mount -t tmpfs dafs-test "$root/$name"; done
touch "$root/vicepb/NeverAttach" "$root/vicepc/NeverAttach" "$root/vicepc/AlwaysAttach" "$root/vicepaa/AlwaysAttach"
mkdir "$root/vicepd/AlwaysAttach"
shift
exec chroot "$root" "$@"
`

needsRoot("partition: on a machine with mounts and marked directories just those are found, by name", async (t) => {
  const folder = temporaryDirectory(t)
  const command = [process.execPath, program]
  const run = (user: number): Promise<string> =>
    outputOf("unshare", ["-m", "sh", "-c", rootScript, "sh", folder, ...command, String(user), "find", ""])
  const { partitions, refused } = JSON.parse(await run(0))
  t.deepEqual(partitions, [
    { path: "/vicepa", name: "/vicepa", index: 0, ownerEncoding: "openafs" },
    { path: "/vicepc", name: "/vicepc", index: 2, ownerEncoding: "openafs" },
    { path: "/vicepd", name: "/vicepd", index: 3, ownerEncoding: "openafs" },
    { path: "/vicepaa", name: "/vicepaa", index: 26, ownerEncoding: "openafs" },
  ])
  t.deepEqual(refused, [])
  const others = JSON.parse(await run(nobody))
  t.deepEqual(others, { partitions: [], refused: ["/vicepa", "/vicepc", "/vicepd", "/vicepaa"] })
})
