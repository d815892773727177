import test, { type ExecutionContext } from "ava"
import type { DumpEvent } from "../../../common/dump/dump-parser.ts"
import { DumpReader, DumpReaderLater } from "../../../common/dump/dump-reader.ts"
import type { DumpSource } from "../../../common/dump/dump-window.ts"
import { FormatError } from "../../../common/error.ts"
import { rootAccessList } from "../../../common/vnode/access-list.ts"
import { allSampleDumps, chunksOf, sampleDump, sourceOf } from "../../support/dump-samples.ts"
import {
  difference,
  dumpHeader,
  end,
  stream,
  tag,
  text,
  transcript,
  transcriptLater,
  u16,
  u32,
  volumeHeader,
} from "../../support/dump-transcript.ts"
import { fixtureManifest } from "../../support/fixture.ts"
import { seededRandom } from "../../support/random.ts"

/** All events; data is skipped. */
function events(bytes: Uint8Array, onNotice?: (text: string, offset: number) => void): DumpEvent[] {
  const reader = new DumpReader(sourceOf(bytes), { path: "/tmp/x.dump", onNotice })
  const all: DumpEvent[] = []
  for (;;) {
    const event = reader.next()
    all.push(event)
    if (event.kind === "end") return all
  }
}

function refused(t: ExecutionContext, bytes: Uint8Array, offset: number, message: RegExp, about?: string): void {
  const error = t.throws(() => events(bytes), { instanceOf: FormatError, message }, about)
  t.deepEqual([error?.path, error?.offset], ["/tmp/x.dump", offset], about)
}

const bodyAt = stream(dumpHeader, volumeHeader).length
const inVolume = (...attributes: readonly (string | Uint8Array)[]): Buffer =>
  stream(dumpHeader, volumeHeader, ...attributes, end)
const file = `03 ${u32(2)} ${u32(9)}`
const vnodeAt = bodyAt + 9
/** A file vnode with a type and these attributes. */
const inFile = (...attributes: readonly (string | Uint8Array)[]): Buffer =>
  inVolume(file, ...attributes, tag("t"), "01")

function volumeOf(bytes: Uint8Array) {
  const event = events(bytes).findLast((one) => one.kind === "volume")
  if (event?.kind !== "volume") throw new Error("no volume header")
  return event.header
}

function vnodeOf(bytes: Uint8Array) {
  const event = events(bytes).find((one) => one.kind === "vnode")
  if (event?.kind !== "vnode") throw new Error("no vnode")
  return event.vnode
}

test("dump reader: the dump of an empty volume has every field in its place", (t) => {
  const [dump, volume, data, vnode, last] = events(sampleDump("empty.v.empty.dump"))
  const date = 0x6b015dd3
  t.deepEqual(dump, { kind: "dump", header: { version: 1, volume: 0x20000006, name: "v.empty", from: 0, to: date } })
  const { weekUse, ...fields } = volume?.kind === "volume" ? volume.header : { weekUse: [] }
  t.deepEqual(weekUse, [0, 0, 0, 0, 0, 0, 0])
  t.deepEqual(fields, {
    id: 0x20000006,
    stampVersion: 1,
    name: "v.empty",
    inService: 1,
    blessed: 1,
    uniquifier: 2,
    type: 0,
    parentId: 0x20000006,
    cloneId: 0,
    maxquota: 5000,
    minquota: 0,
    diskused: 2,
    filecount: 0,
    accountNumber: 0,
    owner: 0,
    creationDate: date,
    accessDate: 0,
    updateDate: date,
    expirationDate: 0,
    backupDate: 0,
    offlineMessage: "",
    message: "",
    dayUseDate: 0,
    dayUse: 0,
  })
  const root = {
    vnode: 1,
    unique: 1,
    type: 2,
    linkCount: 2,
    dataVersion: 1,
    unixModifyTime: date,
    author: 0,
    owner: 0,
    group: 0,
    mode: 0o777,
    parent: 0,
    serverModifyTime: date,
    accessList: rootAccessList(),
    dataLength: 2048,
  }
  t.deepEqual(data, { kind: "data", length: 2048, vnode: root })
  t.deepEqual(vnode, { kind: "vnode", hasAttributes: true, vnode: root })
  t.deepEqual(last, { kind: "end", length: 2473 })
})

test("dump reader: an incremental dump has unchanged vnodes by number alone, after its directories", (t) => {
  const vnodes = events(sampleDump("clones.v.same.inc.dump")).flatMap((event) =>
    event.kind === "vnode" ? [event] : [],
  )
  t.deepEqual(
    vnodes.map(({ vnode, hasAttributes }) => [vnode.vnode, vnode.unique, hasAttributes]),
    [
      [1, 1, true],
      [3, 3, true],
      [2, 2, false],
      [4, 4, false],
    ],
  )
})

test("dump reader: all that vos dumped is as OpenAFS's manifests have it", (t) => {
  for (const fixture of ["tree", "names", "restored", "clones", "groups", "bigdir", "empty"] as const) {
    for (const volume of fixtureManifest(fixture).volumes.filter(({ type }) => type === "RW")) {
      const dump = allSampleDumps().find((sample) => sample.name === `${fixture}.${volume.name}.dump`)
      if (dump === undefined) continue
      const found = new Map(
        events(dump.bytes).flatMap((event) => (event.kind === "vnode" ? [[event.vnode.vnode, event.vnode]] : [])),
      )
      t.is(found.size, volume.vnodes.length, dump.name)
      for (const wanted of volume.vnodes) {
        const vnode = found.get(wanted.vnode)
        const fields = [
          vnode?.unique,
          vnode?.dataLength,
          vnode?.linkCount,
          vnode?.owner,
          vnode?.group,
          vnode?.parent,
          vnode?.unixModifyTime,
        ]
        const { unique, length, linkCount, owner, group, parent, modTime } = wanted
        t.deepEqual(fields, [unique, length, linkCount, owner, group, parent, modTime], `${dump.name} ${wanted.vnode}`)
        t.is(vnode?.mode.toString(8).padStart(4, "0"), wanted.mode.padStart(4, "0"))
      }
    }
  }
})

test("dump reader: pieces, whole reads, any window and any chunks give the same", async (t) => {
  const random = seededRandom(t)
  for (const { name, bytes } of allSampleDumps().filter((dump) => dump.bytes.length < 500_000)) {
    const wanted = transcript(new DumpReader(sourceOf(bytes)))
    t.is(wanted.at(-1), `end after ${bytes.length}`)
    const pieceOf = (): number => 1 + random.below(random.pick([3, 50, 5000]))
    const small = new DumpReader(sourceOf(bytes, pieceOf), { windowBytes: 1 })
    t.is(difference(transcript(small, new Uint8Array(1 + random.below(20_000))), wanted), undefined, name)
    t.is(difference(await transcriptLater(new DumpReaderLater(chunksOf(bytes, pieceOf))), wanted), undefined, name)
    const later = new DumpReaderLater(chunksOf(bytes, pieceOf))
    t.is(difference(await transcriptLater(later, new Uint8Array(1 + random.below(20_000))), wanted), undefined, name)
  }
})

/** A stream whose middle is `count` zeros that are never made: what is not written into the buffer costs no time. */
function sparseSource(before: Uint8Array, count: number, after: Uint8Array): DumpSource {
  const total = before.length + count + after.length
  let at = 0
  return {
    read(into) {
      const part =
        at < before.length
          ? before.subarray(at)
          : at >= before.length + count
            ? after.subarray(at - before.length - count)
            : undefined
      const length = Math.min(into.length, part?.length ?? before.length + count - at)
      if (part === undefined) into.fill(0, 0, Math.min(length, 16))
      else into.set(part.subarray(0, length))
      at += length
      return at <= total ? length : 0
    },
  }
}

test("dump reader: a file longer than 4 GiB streams through in a little memory", (t) => {
  const length = 0x1_0000_0019
  const before = stream(
    dumpHeader,
    volumeHeader,
    `03 ${u32(2)} ${u32(2)} 7401 6c0001 7600000001 6d6b015bc5 6100007ffe 6f00007ffe 6201a4 7000000001 736b015bc5`,
    "68 00000001 00000019",
  )
  for (const mode of ["piece", "read", "skip"] as const) {
    const reader = new DumpReader(sparseSource(before, length, stream(end)))
    const kinds = [reader.next(), reader.next(), reader.next()]
    const data = kinds[2]
    t.true(data?.kind === "data" && data.length === length && data.vnode.dataLength === length)
    const memory = process.memoryUsage.rss()
    let total = 0
    const into = new Uint8Array(1 << 20)
    while (mode !== "skip") {
      const count = mode === "piece" ? reader.piece().length : reader.read(into)
      if (count === 0) break
      total += count
    }
    t.is(total, mode === "skip" ? 0 : length)
    t.is(reader.next().kind, "vnode")
    t.deepEqual(reader.next(), { kind: "end", length: before.length + length + 5 })
    t.true(process.memoryUsage.rss() - memory < 64 << 20)
  }
})

test("dump reader: data that is not read, or not to its end, is skipped", (t) => {
  const two = (number: number): string => `03 ${u32(number)} ${u32(1)} 7401 66 ${u32(6)} 616263646566`
  const reader = new DumpReader(sourceOf(inVolume(two(2), two(4))))
  const seen: string[] = []
  for (let event = reader.next(); event.kind !== "end"; event = reader.next()) {
    seen.push(event.kind)
    if (event.kind === "data" && event.vnode.vnode === 4) t.is(Buffer.from(reader.piece(2)).toString(), "ab")
  }
  t.deepEqual(seen, ["dump", "volume", "data", "vnode", "data", "vnode"])
  t.is(reader.next().kind, "end")
  t.is(reader.read(new Uint8Array(5)), 0)
  t.is(reader.piece().length, 0)
})

test("dump reader: an empty file has data of no bytes, a vnode without data has none", (t) => {
  const kinds = events(inVolume(file, "7401 66 00000000", `03 ${u32(4)} ${u32(1)} 7401`)).map((event) => event.kind)
  t.deepEqual(kinds, ["dump", "volume", "data", "vnode", "vnode", "end"])
  t.is(vnodeOf(inFile("66 00000000")).dataLength, 0)
  t.is(vnodeOf(inFile()).dataLength, undefined)
})

test("dump reader: begin mark, and what a dump header must have", (t) => {
  const good = stream(dumpHeader, volumeHeader, end)
  refused(t, Buffer.alloc(0), 0, /found the end of the stream after 0 more bytes, wanted dump header/)
  refused(t, stream("02", good), 0, /tag 0x2/)
  refused(t, stream("01 b3a11323 00000001"), 0, /magic 0xb3a11323/)
  const header = "01 b3a11322 00000001"
  refused(t, stream(header, `74 0002 ${u32(0)} ${u32(1)}`, volumeHeader, end), 20, /without the volume's id/)
  refused(
    t,
    stream(header, `76 ${u32(0)} 74 0002 ${u32(0)} ${u32(1)}`, volumeHeader, end),
    25,
    /without the volume's id/,
  )
  refused(t, stream(header, `76 ${u32(5)}`, volumeHeader, end), 14, /without dates/)
  refused(t, stream(header, `76 ${u32(5)} 74 0001 ${u32(0)}`, volumeHeader, end), 15, /1 values, wanted at least 2/)
  refused(
    t,
    stream(header, `76 ${u32(5)} 74 0065`, Buffer.alloc(404), volumeHeader, end),
    15,
    /101 values, wanted at most 100/,
  )
  refused(t, stream(dumpHeader, end), stream(dumpHeader).length, /section 4, wanted a volume header/)
  refused(t, stream(dumpHeader, file), stream(dumpHeader).length, /section 3, wanted a volume header/)
})

test("dump reader: any version, any order and more dates are accepted in a dump header", (t) => {
  const dates = Array.from({ length: 100 }, (_, index) => u32(index + 1)).join("")
  const [first] = events(
    stream(`01 b3a11322 000000ff 74 0064 ${dates} 6e ${text("n")} 71 ${u32(3)} 76 ${u32(5)}`, volumeHeader, end),
  )
  t.deepEqual(first, { kind: "dump", header: { version: 255, volume: 5, name: "n", from: 1, to: 2 } })
  const [nameless] = events(stream(`01 b3a11322 00000001 74 0002 ${u32(0)}${u32(9)} 76 ${u32(5)}`, volumeHeader, end))
  t.deepEqual(nameless, { kind: "dump", header: { version: 1, volume: 5, name: "", from: 0, to: 9 } })
})

test("dump reader: a volume header may lack everything, come reversed, and know an old counter", (t) => {
  t.deepEqual([volumeOf(inVolume()).blessed, volumeOf(inVolume()).weekUse.length], [0, 7])
  const reversed = volumeOf(
    inVolume(`5a ${u32(-3)} 44 ${u32(8)} 4d ${text("m")} 56 ${u32(77)} 71 ${u32(5)} 6e ${text("v.x")} 69 ${u32(6)}`),
  )
  t.deepEqual(
    [reversed.dayUse, reversed.dayUseDate, reversed.message, reversed.maxquota, reversed.name, reversed.id],
    [-3, 8, "m", 5, "v.x", 6],
  )
})

test("dump reader: week use of another length than 7 is cut or filled", (t) => {
  t.deepEqual(volumeOf(inVolume("57 0000")).weekUse, [0, 0, 0, 0, 0, 0, 0])
  t.deepEqual(volumeOf(inVolume(`57 0002 ${u32(1)}${u32(2)}`)).weekUse, [1, 2, 0, 0, 0, 0, 0])
  const many = Array.from({ length: 0xffff }, (_, index) => u32(index + 1)).join("")
  t.deepEqual(volumeOf(inVolume(`57 ffff ${many} 5a ${u32(9)}`)).weekUse, [1, 2, 3, 4, 5, 6, 7])
  t.is(volumeOf(inVolume(`57 ffff ${many} 5a ${u32(9)}`)).dayUse, 9)
})

test("dump reader: texts that do not fit are cut to their field, bytes above 127 survive", (t) => {
  t.is(volumeOf(inVolume(`6e ${text("x".repeat(31))}`)).name, "x".repeat(31))
  t.is(volumeOf(inVolume(`6e ${text("x".repeat(32))} 5a ${u32(9)}`)).name, "x".repeat(31))
  const long = volumeOf(inVolume(`4f ${text("o".repeat(300_000))} 5a ${u32(9)}`))
  t.deepEqual([long.offlineMessage, long.dayUse], ["o".repeat(127), 9])
  t.is(volumeOf(inVolume(`4f ${text("caf\xe9\xff")}`)).offlineMessage, "caf\xe9\xff")
  refused(
    t,
    stream(dumpHeader, volumeHeader, "6e 787878"),
    bodyAt,
    /the end of the stream after 4 more bytes, wanted the end of a text/,
  )
})

test("dump reader: several volume headers are given in turn", (t) => {
  const all = events(
    stream(dumpHeader, `02 69 ${u32(5)}`, file, "7401", `02 69 ${u32(6)}`, `03 ${u32(4)} ${u32(1)} 7403`, end),
  )
  t.deepEqual(
    all.map((event) => event.kind),
    ["dump", "volume", "vnode", "volume", "vnode", "end"],
  )
  t.is(volumeOf(stream(dumpHeader, `02 69 ${u32(5)} 71 ${u32(9)}`, `02 69 ${u32(6)}`, end)).maxquota, 0)
})

test("dump reader: vnode attributes come in any order, also after the data", (t) => {
  const bytes = inVolume(file, `66 ${u32(3)} 616263 73 ${u32(9)} 76 ${u32(4)} 6c ffff 67 ${u32(-2)} 7401`)
  const all = events(bytes)
  t.deepEqual(
    all.map((event) => event.kind),
    ["dump", "volume", "data", "vnode", "end"],
  )
  const vnode = vnodeOf(bytes)
  t.deepEqual(
    [vnode.serverModifyTime, vnode.dataVersion, vnode.linkCount, vnode.group, vnode.dataLength],
    [9, 4, -1, -2, 3],
  )
})

test("dump reader: a second file data in a vnode is left out, and told", (t) => {
  const notices: string[] = []
  const all = events(inFile(`66 ${u32(3)} 616263 68 ${u32(0)} ${u32(4)} 64656667`), (notice, offset) =>
    notices.push(`${offset}: ${notice}`),
  )
  t.deepEqual(
    all.map((event) => event.kind),
    ["dump", "volume", "data", "vnode", "end"],
  )
  t.is(vnodeOf(inFile(`66 ${u32(3)} 616263 66 ${u32(1)} 64`)).dataLength, 3)
  t.deepEqual(notices, [`${vnodeAt + 8}: vnode 2: second file data of 4 bytes left out`])
})

test("dump reader: unknown tags are skipped by their number, in every section", (t) => {
  const skippable = [
    "15 00",
    "16 05 0102030405",
    "60 81 03 aaaaaa",
    "2f 84 00000002 0404",
    "50 80",
    "61 00000000",
    "7a 01020304",
    "7b",
    "7c",
    "7d",
    "7f",
  ]
  const unknown = skippable.filter((hex) => !hex.startsWith("61")).join("")
  const inHeader = dumpHeader.replace("01 b3a11322 00000001", `01 b3a11322 00000001 ${unknown} 61 00000000`)
  const all = events(stream(inHeader, volumeHeader, unknown, file, unknown, "7401", end))
  t.deepEqual(
    all.map((event) => event.kind),
    ["dump", "volume", "vnode", "end"],
  )
  const long = inFile("50 83 030d40", Buffer.alloc(200_000, 0x04))
  t.is(events(long).length, 4)
})

test("dump reader: what no rule covers is refused", (t) => {
  refused(t, inFile("80"), vnodeAt, /unknown tag 0x80, wanted a tag below 0x80/)
  refused(t, inFile("ff"), vnodeAt, /unknown tag 0xff/)
  refused(t, inFile("50 89 000000000000000001"), vnodeAt + 1, /a length of 9 bytes/)
  refused(t, inFile("50 88 ffffffffffffffff"), vnodeAt + 1, /tag 'P' of \d+ bytes, wanted at most 2\^53/)
  refused(t, inFile("68 ffffffff ffffffff"), vnodeAt + 1, /file data of \d+ bytes/)
  refused(t, inVolume("05"), bodyAt, /section 5, wanted a vnode or the end/)
  refused(t, inVolume("00"), bodyAt, /section 0/)
  refused(t, inVolume(dumpHeader), bodyAt, /section 1/)
})

test("dump reader: a tag with a layout of its own is refused outside its section, as OpenAFS does", (t) => {
  for (const letter of ["C", "D", "E", "M", "O", "U", "W", "Z"]) {
    refused(t, inFile(tag(letter), "03 aabbcc"), vnodeAt, new RegExp(`tag '${letter}' outside its section`))
  }
  refused(t, stream(dumpHeader, "41 03 aabbcc"), stream(dumpHeader).length, /tag 'A' outside its section/)
  for (const letter of ["B", "V"]) t.is(vnodeOf(inFile(tag(letter), `03 aabbcc 6f ${u32(7)}`)).owner, 7)
})

test("dump reader: an unknown attribute marked as critical is refused, a known one is not", (t) => {
  refused(t, inFile("7e 7b"), vnodeAt + 1, /unknown tag '\{' marked as critical/)
  refused(t, inFile("7e 71 00000000"), vnodeAt + 1, /unknown tag 'q' marked as critical/)
  t.is(vnodeOf(inFile(`7e 6f ${u32(7)} 71 00000000`)).owner, 7)
  t.is(vnodeOf(inFile("7e 66 00000000 7b")).dataLength, 0)
  t.is(events(inFile("7401 7e", file, "7b")).length, 5)
})

test("dump reader: an access list that a restore could not use is refused with the place of its fault", (t) => {
  const list = (size: number, total: number, positive: number, negative: number): Buffer => {
    const area = Buffer.alloc(192)
    for (const [index, value] of [size, 1, total, positive, negative].entries()) area.writeInt32BE(value, 4 * index)
    return area
  }
  const inRoot = (area: Buffer): Buffer => inVolume(`03 ${u32(1)} ${u32(1)} 41`, area, "7402")
  refused(t, inRoot(list(188, 21, 21, 0)), vnodeAt + 1 + 8, /access list with 21 entries/)
  refused(t, inRoot(list(28, 1, 1, 1)), vnodeAt + 1 + 12, /1 positive and 1 negative/)
  refused(t, inRoot(list(27, 1, 1, 0)), vnodeAt + 1, /size 27/)
  t.is(vnodeOf(inRoot(list(20, 0, 0, 0))).accessList?.length, 192)
  refused(
    t,
    stream(dumpHeader, volumeHeader, `03 ${u32(1)} ${u32(1)} 41`, Buffer.alloc(191)),
    vnodeAt,
    /wanted access list \(193 bytes\)/,
  )
})

test("dump reader: the bytes behind an access list come through unturned, whoever owns the buffer", async (t) => {
  const area = Buffer.alloc(192, 0x55)
  area.set(stream(u32(20), u32(1), u32(0), u32(0), u32(0)))
  const bytes = inVolume(`03 ${u32(1)} ${u32(1)} 41`, area, "7402")
  const given = Buffer.from(bytes)
  const reader = new DumpReaderLater(
    (async function* () {
      yield given
    })(),
  )
  let event = await reader.next()
  while (event.kind !== "vnode") event = await reader.next()
  t.is(
    Buffer.from(event.vnode.accessList ?? []).toString("hex"),
    `14000000 01000000${"00".repeat(12)}${"55".repeat(172)}`.replaceAll(" ", ""),
  )
  t.deepEqual(given, bytes)
})

test("dump reader: numbers that no index can hold, and types against their number, are refused", (t) => {
  refused(t, inVolume(`03 ${u32(0)} ${u32(1)} 7401`), bodyAt + 1, /vnode 0, wanted 1 to 67108863/)
  refused(t, inVolume(`03 ${u32(2 ** 26)} ${u32(1)} 7401`), bodyAt + 1, /vnode 67108864/)
  t.is(vnodeOf(inVolume(`03 ${u32(2 ** 26 - 2)} ${u32(1)} 7401`)).vnode, 2 ** 26 - 2)
  for (const [number, type] of [
    [2, 0],
    [2, 2],
    [2, 4],
    [3, 1],
    [3, 3],
  ] as const) {
    refused(
      t,
      inVolume(`03 ${u32(number)} ${u32(1)} 74`, Uint8Array.of(type)),
      vnodeAt + 2,
      new RegExp(`vnode ${number} of type ${type}`),
    )
  }
  t.is(events(inVolume(`03 ${u32(2)} ${u32(1)}`)).length, 4)
})

test("dump reader: a missing or wrong end, and anything after it, are refused", (t) => {
  const good = inFile()
  refused(t, good.subarray(0, good.length - 5), good.length - 5, /wanted an attribute or a section/)
  refused(t, good.subarray(0, good.length - 1), good.length - 5, /wanted end mark \(5 bytes\)/)
  refused(t, stream(good.subarray(0, good.length - 1), "6f"), good.length - 4, /end mark 0x3a214b6f/)
  refused(t, stream(good, "00"), good.length, /bytes after the end mark/)
})

test("dump reader: every cut of a dump is refused, whatever the chunks, and named by its offset", async (t) => {
  const whole = sampleDump("clones.v.same.inc.dump")
  for (let length = 0; length < whole.length; length += length < 700 || length > whole.length - 100 ? 1 : 97) {
    const cut = whole.subarray(0, length)
    const error = t.throws(
      () => events(cut),
      { instanceOf: FormatError, message: /the end of the stream/ },
      `${length}`,
    )
    t.true((error?.offset ?? -1) >= 0 && (error?.offset ?? 0) <= length)
    const lines = transcript(new DumpReader(sourceOf(cut)))
    t.is(difference(await transcriptLater(new DumpReaderLater(chunksOf(cut, () => 61))), lines), undefined)
  }
})

test("dump reader: lengths that lie cost neither memory nor time", (t) => {
  const before = process.memoryUsage.rss()
  for (const lie of ["66 ffffffff", "68 000fffff ffffffff", "50 86 ffffffffffff", `41 ${u16(0)}`, "4d"]) {
    t.throws(() => events(stream(dumpHeader, volumeHeader, lie.startsWith("4d") ? "" : file, lie)), {
      instanceOf: FormatError,
    })
  }
  t.true(process.memoryUsage.rss() - before < 32 << 20)
})

test("dump reader: a stream full of oddities gives some notices, not millions", (t) => {
  const notices: string[] = []
  events(inFile("7b".repeat(5000)), (notice) => notices.push(notice))
  t.is(notices.length, 101)
  t.is(notices.at(-1), "further notices left out")
})

test("dump reader: whoever stops early can tell the source", async (t) => {
  let isOpen = true
  const chunks = async function* (): AsyncGenerator<Uint8Array> {
    try {
      for (;;) yield inFile()
    } finally {
      isOpen = false
    }
  }
  {
    await using reader = new DumpReaderLater(chunks())
    t.is((await reader.next()).kind, "dump")
    t.true(isOpen)
  }
  t.false(isOpen)
})
