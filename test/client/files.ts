/** The library at work on a fileserver of ours: names, contents, statuses, access lists, locks, promises. */
import { Readable } from "node:stream"
import test from "ava"
import {
  extendLock,
  fetchAccessList,
  fetchVolumeStatus,
  releaseLock,
  setLock,
  setQuota,
  storeAccessList,
  withRights,
} from "../../client/administration.ts"
import { fetchContents, fetchWhole, storeContents, storeStream } from "../../client/contents.ts"
import { parseTarget, rootOf } from "../../client/fid.ts"
import { Fileserver, findServer, serverText } from "../../client/fileserver.ts"
import {
  changeStatus,
  createFile,
  makeDirectories,
  makeDirectory,
  makeLink,
  makeMountPoint,
  makeSymlink,
  removeDirectory,
  removeFile,
  removeTree,
  rename,
} from "../../client/namespace.ts"
import {
  fetchDirectory,
  fetchStatus,
  findName,
  isMountPoint,
  listDirectory,
  lookUp,
  readLink,
  resolve,
  resolvePlace,
} from "../../client/tree.ts"
import { AfsError, isAfsError } from "../../common/error.ts"
import type { AFSFid } from "../../common/protocol/afs-types.ts"
import { seededRandom } from "../support/random.ts"
import { serveFiles } from "../support/served-files.ts"

const nameOf = (text: string): Buffer => Buffer.from(text)

/** A call that has to fail with this code. */
async function refusedWith(t: { throwsAsync: (call: Promise<unknown>) => Promise<unknown> }, call: Promise<unknown>) {
  const error = await t.throwsAsync(call)
  return error instanceof AfsError ? error.code : error
}

test("client: names are found along paths, over symbolic links, and back up", async (t) => {
  const served = await serveFiles(t, {
    a: { folder: { b: { folder: { file: "deep" } }, up: { link: "../top" } } },
    top: "at the top",
    short: { link: "a/b" },
    loop: { link: "loop" },
    out: { link: "/afs/elsewhere" },
    mount: { mountPoint: "#other.", mode: 0o644 },
  })
  const server = await served.client()
  const find = (path: string, followsLast?: boolean) =>
    resolve(server, parseTarget(`${served.volume}:${path}`), followsLast)
  const file = await find("a/b/file")
  t.deepEqual(await find("short/file"), file)
  t.deepEqual(await find("a/./b/../../a/b/file"), file)
  t.deepEqual(await find("a/up"), await find("top"))
  t.notDeepEqual(await find("a/up", false), await find("top"))
  t.deepEqual(await find(""), rootOf(served.volume))
  t.is((await readLink(server, await find("short", false))).toString(), "a/b")
  t.true(isMountPoint(await fetchStatus(server, await find("mount", false))))
  t.is(await refusedWith(t, find("a/none")), "ENOENT")
  t.is(await refusedWith(t, find("top/x")), "ENOTDIR")
  t.is(await refusedWith(t, find("loop")), "EINVAL")
  t.is(await refusedWith(t, find("out/x")), "EXDEV")
  t.is(await refusedWith(t, find("mount/x")), "EXDEV")
  t.is(await refusedWith(t, readLink(server, file)), "EINVAL")
  t.is(await refusedWith(t, resolvePlace(server, parseTarget(`${served.volume}:`))), "USAGE")
  t.is(await refusedWith(t, resolve(server, parseTarget("4711:x"))), "VNOVOL")
})

test("client: a listing has every name with its status, also of those that may not be looked at", async (t) => {
  const tree = Object.fromEntries(Array.from({ length: 130 }, (_, index) => [`name ${index}`, `content ${index}`]))
  const served = await serveFiles(t, tree)
  const server = await served.client()
  const root = rootOf(served.volume)
  const entries = await listDirectory(server, root)
  t.is(entries.length, 130)
  t.deepEqual([...entries].map(({ name }) => name.toString()).sort(), Object.keys(tree).sort())
  for (const { name, status } of entries) t.is(status?.length, tree[name.toString()]?.length)
  const found = (await fetchDirectory(server, root)).lookup(nameOf("name 5"))
  t.true(entries.some(({ name, fid }) => name.equals(nameOf("name 5")) && fid.Vnode === found?.vnode))
  await storeAccessList(server, root, { positive: [{ name: "system:anyuser", rights: 8 }], negative: [] })
  const [hidden] = await listDirectory(server, root)
  t.is(hidden?.status, undefined)
  t.is(hidden?.code, 13)
})

test("client: bytes go up and come down unchanged, in one call, in a stream, and in parts", async (t) => {
  const served = await serveFiles(t)
  const server = await served.client()
  const place = { directory: rootOf(served.volume), name: nameOf("file") }
  const { fid } = await createFile(server, place, { mode: 0o600 })
  const data = Buffer.from(seededRandom(t).bytes(2_500_001))
  const told: number[] = []
  const stored = await storeContents(
    server,
    fid,
    Readable.from([data.subarray(0, 999_999), data.subarray(999_999)]),
    data.length,
    {
      onProgress: (done) => told.push(done),
      modifyTime: 1_000_000,
    },
  )
  t.like(stored, { length: data.length, dataVersion: 1, modifyTime: 1_000_000, mode: 0o600 })
  t.deepEqual(told, [999_999, data.length])
  t.true((await fetchWhole(server, fid, data.length)).bytes.equals(data))
  t.is(await refusedWith(t, fetchWhole(server, fid, data.length - 1)), "EFBIG")
  const parts: Buffer[] = []
  const status = await fetchContents(server, fid, { position: 1_000_000, length: 5 }, (bytes, total) => {
    t.is(total, 5)
    parts.push(Buffer.from(bytes))
  })
  t.true(Buffer.concat(parts).equals(data.subarray(1_000_000, 1_000_005)))
  t.is(status.length, data.length)
  t.is((await storeStream(server, fid, [data.subarray(0, 10), data.subarray(10, 1_100_000)])).length, 1_100_000)
  t.true((await fetchWhole(server, fid, data.length)).bytes.equals(data.subarray(0, 1_100_000)))
  t.is((await storeStream(server, fid, [])).length, 0)
  await storeContents(server, fid, [nameOf("xyz")], 3, { position: 5, fileLength: 8 })
  t.is((await fetchWhole(server, fid, 100)).bytes.toString("latin1"), "\0\0\0\0\0xyz")
})

test("client: a source that ends early is an error, and what was stored of it stays", async (t) => {
  const served = await serveFiles(t)
  const server = await served.client()
  const { fid } = await createFile(server, { directory: rootOf(served.volume), name: nameOf("file") }, {})
  t.is(await refusedWith(t, storeContents(server, fid, [nameOf("short")], 10)), "EINVAL")
  const failing = (async function* () {
    yield nameOf("some")
    throw new Error("the disk is gone")
  })()
  await t.throwsAsync(storeContents(server, fid, failing, 10), { message: "the disk is gone" })
  t.is((await storeContents(server, fid, [nameOf("longer than said")], 6)).length, 6)
})

test("client: names are made, moved and removed, and the server's refusals have names", async (t) => {
  const served = await serveFiles(t)
  const server = await served.client()
  const root = rootOf(served.volume)
  const place = (name: string, directory: AFSFid = root) => ({ directory, name: nameOf(name) })
  const folder = await makeDirectories(server, parseTarget(`${served.volume}:a/b/c`), { mode: 0o700 })
  t.deepEqual(await makeDirectories(server, parseTarget(`${served.volume}:a/b/c`), {}), folder)
  t.is(await refusedWith(t, makeDirectory(server, place("a"), {})), "EEXIST")
  const { fid } = await createFile(server, place("f"), {})
  t.is((await makeLink(server, place("g"), fid)).linkCount, 2)
  t.is(await refusedWith(t, makeLink(server, place("g", folder), fid)), "EXDEV")
  await makeSymlink(server, place("s"), nameOf("f"))
  await makeMountPoint(server, place("m"), "other", true)
  t.is((await readLink(server, await lookUp(server, place("m")))).toString(), "%other.")
  await removeFile(server, place("g"))
  await rename(server, place("f"), place("h", folder))
  t.deepEqual(await findName(server, place("h", folder)), fid)
  t.is(await findName(server, place("f")), undefined)
  t.is(await refusedWith(t, removeDirectory(server, place("a"))), "ENOTEMPTY")
  t.is(await refusedWith(t, removeFile(server, place("a"))), "EISDIR")
  t.is(await refusedWith(t, removeFile(server, place("f"))), "ENOENT")
  const counts: number[] = []
  t.is(await removeTree(server, place("a"), await lookUp(server, place("a")), (count) => counts.push(count)), 4)
  t.deepEqual(counts, [1, 2, 3, 4])
  t.deepEqual(
    (await listDirectory(server, root)).map(({ name }) => name.toString()),
    ["m", "s"],
  )
})

test("client: status, access list, volume and locks", async (t) => {
  const served = await serveFiles(t, { file: "content" })
  const server = await served.client()
  const root = rootOf(served.volume)
  const fid = await lookUp(server, { directory: root, name: nameOf("file") })
  t.like(await changeStatus(server, fid, { mode: 0o400, modifyTime: 77 }), { mode: 0o400, modifyTime: 77 })
  t.is(await refusedWith(t, changeStatus(server, fid, { owner: 9 })), "EPERM")
  const list = await fetchAccessList(server, root)
  t.deepEqual(list, { positive: [{ name: "system:anyuser", rights: 127 }], negative: [] })
  const more = withRights(withRights(list, "system:authuser", 9), "SYSTEM:authuser", 1, true)
  await storeAccessList(server, root, more)
  t.deepEqual((await fetchAccessList(server, root)).negative, [{ name: "system:authuser", rights: 1 }])
  t.deepEqual(withRights(withRights(more, "System:AuthUser", 0), "system:authuser", 0, true), list)
  t.is(await refusedWith(t, storeAccessList(server, root, withRights(list, "nobody.known", 1))), "EINVAL")
  t.like(await fetchVolumeStatus(server, served.volume), {
    id: served.volume,
    name: "home",
    isReadWrite: true,
    isOnline: true,
  })
  t.is(await refusedWith(t, setQuota(server, served.volume, 5)), "EACCES")
  t.is(await refusedWith(t, extendLock(server, fid)), "EINVAL")
  await setLock(server, fid, "read")
  await extendLock(server, fid)
  t.is(await refusedWith(t, setLock(server, fid, "write")), "EAGAIN")
  t.is((await fetchStatus(server, fid)).lockCount, 1)
  await releaseLock(server, fid)
  t.is((await fetchStatus(server, fid)).lockCount, 0)
})

test("client: the server tells one client what another changes, and is told goodbye", async (t) => {
  const served = await serveFiles(t, { file: "content" })
  const broken: AFSFid[] = []
  let resets = 0
  const server = await served.client({ onBreak: (fids) => broken.push(...fids), onReset: () => resets++ })
  const other = await served.client()
  const directory = rootOf(served.volume)
  const fid = await lookUp(server, { directory, name: nameOf("file") })
  await fetchStatus(server, fid)
  t.is(resets, 1)
  await storeContents(other, fid, [nameOf("new")], 3)
  t.deepEqual(broken, [fid])
  await fetchStatus(server, fid)
  await server.close()
  await storeContents(other, fid, [nameOf("newer")], 5)
  t.is(broken.length, 1)
})

test("client: servers are found by address or name, with the port of fileservers if there is none", async (t) => {
  t.deepEqual(await findServer("10.99.0.1"), { host: 0x0a63_0001, port: 7000 })
  t.is(serverText(await findServer("10.99.0.1:7123")), "10.99.0.1:7123")
  t.deepEqual(await findServer("localhost:1"), { host: 0x7f00_0001, port: 1 })
  for (const text of ["", ":7000", "10.99.0.1:", "10.99.0.1:0", "10.99.0.1:65536", "a:b:c"])
    t.true(isAfsError(await t.throwsAsync(findServer(text)), "USAGE"), text)
})

test("client: a server that is not there is reported as such, and closing does not wait for it", async (t) => {
  await using nobody = await Fileserver.open({ host: 0x7f00_0001, port: 1 }, { deadMs: 6_000 })
  t.is(await refusedWith(t, fetchStatus(nobody, rootOf(1))), "UNREACHABLE")
})
