/** What hostile clients send, and what everybody else sees meanwhile. */
import { setImmediate as turn } from "node:timers/promises"
import test from "ava"
import type { AFSFid } from "../../common/protocol/afs-types.ts"
import { RXAFS } from "../../common/protocol/afsint.ts"
import { MemoryCall, rawCall } from "../support/memory-call.ts"
import { fuzzMs, seededRandom } from "../support/random.ts"
import { codeOf, storeStatus } from "../support/rxafs-client.ts"
import { servingHere } from "../support/serving-here.ts"

const bytes = (text: string): Uint8Array => Buffer.from(text, "latin1")
const unchanged = storeStatus({})
const { operations } = RXAFS

/** A request's bytes: its opcode and arguments. */
function request(name: keyof typeof operations, ask: unknown): Buffer {
  const { opcode, request: type } = operations[name]
  const head = Buffer.alloc(4)
  head.writeUInt32BE(opcode)
  return Buffer.concat([head, type.encode(ask as never)])
}

test("service: a small call is over before onCall returns: no promise, no timer, no turn of the loop", async (t) => {
  const here = await servingHere(t, { file: "contents" })
  const Fid = await here.fidOf("file")
  const DirFid = here.root
  const asks: [keyof typeof operations, unknown][] = [
    ["FetchStatus", { Fid }],
    ["GetTime", {}],
    ["CreateFile", { DirFid, Name: bytes("new"), InStatus: unchanged }],
    ["RemoveFile", { DirFid, Name: bytes("new") }],
    ["InlineBulkStatus", { FidsArray: [Fid, DirFid] }],
    ["FetchData64", { Fid, Pos: 0, Length: 100 }],
    ["SetLock", { Fid, Type: 0 }],
  ]
  for (const [name, ask] of asks) {
    const { client, server } = MemoryCall.pair()
    let isDone = false
    client.write(request(name, ask))
    client.finish()
    const finish = server.finish.bind(server)
    server.finish = () => {
      isDone = true
      finish()
    }
    here.service.onCall(server)
    t.true(isDone, `${name} (${server.code ?? "no code"})`)
  }
})

test("service: nobody waits for the lock of a vnode while another machine is waited for", async (t) => {
  const here = await servingHere(t, { file: "contents" })
  const Fid = await here.fidOf("file")
  let release: () => void = () => undefined
  here.breaking = new Promise((resolve) => {
    release = resolve
  })
  let isStored = false
  const numbers = { Pos: 0, Length: 3, FileLength: 3 }
  const store = here.fs
    .StoreData64({ Fid, InStatus: unchanged, ...numbers }, (bulk) => bulk.write(bytes("new")))
    .then((reply) => {
      isStored = true
      return reply
    })
  while (here.told.length === 0) await turn()
  const seen = await here.fs.FetchStatus({ Fid })
  t.is(seen.OutStatus.Length, 3, "others see the new data at once")
  t.false(isStored, "the caller is answered when all were told")
  release()
  t.is((await store).OutStatus.DataVersion, seen.OutStatus.DataVersion)
})

test("service: a store that stands still keeps readers of its file waiting, and of no other; when it breaks off they go on", async (t) => {
  const here = await servingHere(t, { file: "contents", other: "x" })
  const [Fid, other] = [await here.fidOf("file"), await here.fidOf("other")]
  const { client, server } = MemoryCall.pair()
  client.write(request("StoreData64", { Fid, InStatus: unchanged, Pos: 0, Length: 6, FileLength: 6 }))
  client.write(bytes("abc"))
  here.service.onCall(server)
  await turn()
  let isSeen = false
  const status = here.fs.FetchStatus({ Fid }).then((reply) => {
    isSeen = true
    return reply
  })
  t.is((await here.fs.FetchStatus({ Fid: other })).OutStatus.Length, 1)
  await here.fs.CreateFile({ DirFid: here.root, Name: bytes("beside"), InStatus: unchanged })
  t.false(isSeen)
  client.abort(-6)
  const { OutStatus } = await status
  t.is(OutStatus.Length, 6, "what had come stays")
  t.is(server.code, -6)
})

// It cut the file when its turn came, though nobody had sent what was to come instead.
test("service: a store whose client goes while it waits for another does nothing", async (t) => {
  const here = await servingHere(t, { file: "contents" })
  const Fid = await here.fidOf("file")
  const ask = request("StoreData64", { Fid, InStatus: unchanged, Pos: 0, Length: 4, FileLength: 4 })
  const [first, second] = [MemoryCall.pair(), MemoryCall.pair()]
  for (const { client, server } of [first, second]) {
    client.write(ask)
    here.service.onCall(server)
  }
  await turn()
  second.client.abort(-6)
  first.client.write(bytes("abcd"))
  first.client.finish()
  const { OutStatus } = await here.fs.FetchStatus({ Fid })
  t.is(OutStatus.Length, 4)
  t.is(OutStatus.DataVersion, 2)
  t.is(here.told.length, 1)
  while ((here.volumes.find(here.volume)?.users ?? 0) > 0) await turn()
  t.deepEqual(
    here.log.lines.filter(({ level }) => level === "error"),
    [],
  )
})

test("service: a volume that has to go offline ends stores and fetches that stand still, with its code", async (t) => {
  const here = await servingHere(t, { file: "contents" })
  const Fid = await here.fidOf("file")
  const { client, server } = MemoryCall.pair()
  client.write(request("StoreData64", { Fid, InStatus: unchanged, Pos: 0, Length: 6, FileLength: 6 }))
  here.service.onCall(server)
  await turn()
  const waiting = codeOf(here.fs.FetchStatus({ Fid }))
  const volume = here.volumes.find(here.volume)
  while (volume?.users !== 2) await turn()
  volume.abortUses("VOFFLINE")
  t.is(await waiting, 106)
  t.is(server.code, 106)
  while (volume.users > 0) await turn()
  t.pass()
})

test("service: names with slashes, NULs or too many bytes, and counts above the bounds, reach no directory", async (t) => {
  const here = await servingHere(t, { file: "contents" })
  const DirFid = here.root
  const before = (await here.fs.FetchStatus({ Fid: DirFid })).OutStatus.DataVersion
  const inval = 49_733_397
  for (const name of ["a/b", "/", "", ".."]) {
    const code = await codeOf(here.fs.CreateFile({ DirFid, Name: bytes(name), InStatus: unchanged }))
    t.true([inval, 49_733_392].includes(code), `${name}: ${code}`)
  }
  const good = request("CreateFile", { DirFid, Name: bytes("abcd"), InStatus: unchanged })
  const patched = (change: (request: Buffer) => void): Buffer => {
    const copy = Buffer.from(good)
    change(copy)
    return copy
  }
  const unmarshal = [
    patched((copy) => copy.writeUInt8(0, 21)), // a NUL in the name
    patched((copy) => copy.writeUInt32BE(257, 16)),
    patched((copy) => copy.writeUInt32BE(0xffff_ffff, 16)),
    good.subarray(0, 20),
    good.subarray(0, good.length - 1),
  ]
  for (const wrong of unmarshal) t.is((await rawCall(here.service, wrong)).code, -453)
  const many = Buffer.concat([
    request("InlineBulkStatus", { FidsArray: [] }).subarray(0, 4),
    Buffer.from([0, 0, 0, 51]),
  ])
  t.is((await rawCall(here.service, Buffer.concat([many, Buffer.alloc(51 * 12)]))).code, -453)
  t.is((await here.fs.FetchStatus({ Fid: DirFid })).OutStatus.DataVersion, before)
})

test("service: stores with absurd numbers take no space and leave the file as it was", async (t) => {
  const here = await servingHere(t, { file: "contents" })
  const Fid = await here.fidOf("file")
  const tried = [
    { Pos: 2 ** 52, Length: 1, FileLength: 2 ** 52 + 1 },
    { Pos: 0, Length: 2 ** 52, FileLength: 2 ** 52 },
    { Pos: 2 ** 40, Length: 2 ** 40, FileLength: 0 },
  ]
  for (const numbers of tried) {
    const code = await codeOf(
      here.fs.StoreData64({ Fid, InStatus: unchanged, ...numbers }, (bulk) => bulk.write(bytes("x"))),
    )
    t.not(code, 0, JSON.stringify(numbers))
  }
  t.is((await here.fs.FetchStatus({ Fid })).OutStatus.Length, 8)
})

test("service: a thousand calls that never end keep little memory, and others are answered", async (t) => {
  const here = await servingHere(t, { file: "contents" })
  const Fid = await here.fidOf("file")
  const open: MemoryCall[] = []
  for (let index = 0; index < 1_000; index++) {
    const { client, server } = MemoryCall.pair()
    const target: AFSFid = index === 0 ? Fid : { ...Fid, Vnode: 99_998 }
    client.write(request("StoreData64", { Fid: target, InStatus: unchanged, Pos: 0, Length: 6, FileLength: 6 }))
    here.service.onCall(server)
    open.push(client)
  }
  t.is(await codeOf(here.fs.FetchStatus({ Fid: here.root })), 0)
  for (const call of open) call.abort(-6)
  t.is((await here.fs.FetchStatus({ Fid })).OutStatus.Length, 6)
})

test("service: random requests harm nothing and end", async (t) => {
  const here = await servingHere(t, { file: "contents", sub: { folder: { inner: "x" } } })
  const random = seededRandom(t)
  const opcodes = Object.values(operations).map(({ opcode }) => opcode)
  const end = Date.now() + fuzzMs / 2
  while (Date.now() < end) {
    const wrong = Buffer.from(random.bytes(random.below(200)))
    if (wrong.length >= 4) wrong.writeUInt32BE(opcodes[random.below(opcodes.length)] ?? 0)
    if (wrong.length >= 16 && random.below(2) === 0) {
      wrong.writeUInt32BE(here.volume, 4)
      wrong.writeUInt32BE(1 + random.below(6), 8)
      wrong.writeUInt32BE(1 + random.below(6), 12)
    }
    await rawCall(here.service, wrong)
  }
  t.is(await codeOf(here.fs.FetchStatus({ Fid: here.root })), 0)
  t.deepEqual(
    here.log.lines.filter(({ level }) => level === "error"),
    [],
  )
})
