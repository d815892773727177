import test from "ava"
import { type DumpHeader, newDumpVnode, newDumpVolumeHeader } from "../../../common/dump/dump-tags.ts"
import {
  DumpWriter,
  dumpedState,
  dumpHeadersSize,
  dumpVnodeSize,
  isDumpedInFull,
  unchangedVnodeSize,
} from "../../../common/dump/dump-writer.ts"
import { rootAccessList } from "../../../common/vnode/access-list.ts"
import { allSampleDumps, sampleDump } from "../../support/dump-samples.ts"
import { rewritten, stream } from "../../support/dump-transcript.ts"
import { fixtureManifest } from "../../support/fixture.ts"

const header: DumpHeader = { version: 1, volume: 5, name: "v.x", from: 0, to: 7 }

/** What is written, and in how many pieces. */
function written(
  act: (writer: DumpWriter) => void,
  bufferBytes?: number,
): { bytes: Buffer; pieces: number; length: number } {
  const pieces: Buffer[] = []
  const writer = new DumpWriter({ write: (bytes) => void pieces.push(Buffer.from(bytes)) }, { bufferBytes })
  act(writer)
  return { bytes: Buffer.concat(pieces), pieces: pieces.length, length: writer.length }
}

test("dump writer: the headers of an empty volume's dump, byte for byte", (t) => {
  const date = 0x6b015dd3
  const { bytes } = written((writer) => {
    writer.begin({ version: 1, volume: 0x20000006, name: "v.empty", from: 0, to: date })
    const fields = { id: 0x20000006, stampVersion: 1, name: "v.empty", inService: 1, blessed: 1, uniquifier: 2 }
    const dates = { creationDate: date, updateDate: date }
    writer.volume(newDumpVolumeHeader({ ...fields, parentId: 0x20000006, maxquota: 5000, diskused: 2, ...dates }))
    const root = { type: 2, linkCount: 2, dataVersion: 1, mode: 0o777, unixModifyTime: date, serverModifyTime: date }
    writer.vnode(newDumpVnode(1, 1, { ...root, accessList: rootAccessList(), dataLength: 4 }))
    writer.data(Buffer.from("000104d2", "hex"))
    writer.end()
  })
  const wanted = stream(
    "01 b3a113220000 0001 7620000006 6e762e656d70747900 740002000000006b015dd3",
    "02 6920000006 7600000001 6e762e656d70747900 7301 6201 7500000002 7400 7020000006 6300000000 7100001388 6d00000000",
    "6400000002 6600000000 6100000000 6f00000000 436b015dd3 4100000000 556b015dd3 4500000000 4200000000 4f00 4d00",
    `570007 ${"00".repeat(28)} 4400000000 5a00000000`,
    "030000000100000001 7402 6c0002 7600000001 6d6b015dd3 6100000000 6f00000000 6201ff 7000000000 736b015dd3",
    `41 0000001c00000001000000010000000100000000 ffffff340000007f ${"00".repeat(164)}`,
    "6600000004 000104d2 043a214b6e",
  )
  t.is(bytes.toString("hex"), wanted.toString("hex"))
})

test("dump writer: unchanged vnodes are their number alone", (t) => {
  const { bytes } = written((writer) => {
    writer.begin(header)
    writer.volume(newDumpVolumeHeader())
    writer.unchanged(2, 2)
    writer.unchanged(4, 4)
    writer.end()
  })
  t.is(bytes.subarray(-23).toString("hex"), "030000000200000002030000000400000004043a214b6e")
  t.is(bytes.subarray(-23).toString("hex"), sampleDump("clones.v.same.inc.dump").subarray(-23).toString("hex"))
})

test("dump writer: every dump that vos made comes out of what was read of it byte for byte", (t) => {
  const dumps = allSampleDumps()
  t.is(dumps.length, 34)
  for (const { name, bytes } of dumps) {
    for (const bufferBytes of [undefined, 1]) {
      const again = rewritten(bytes, bufferBytes)
      t.is(Buffer.compare(again, bytes), 0, `${name}: ${again.length} bytes, ${bytes.length} wanted`)
    }
  }
})

test("dump writer: sizes are known before anything is written", (t) => {
  const volume = newDumpVolumeHeader({ name: "v.x", offlineMessage: "A volume utility is running." })
  const vnodes = [
    newDumpVnode(1, 1, { type: 2, accessList: rootAccessList(), dataLength: 2048 }),
    newDumpVnode(3, 1, { type: 2, accessList: new Uint8Array(192).fill(0xff), dataLength: 2048 }),
    newDumpVnode(2, 1, { type: 1, group: -1, dataLength: 0 }),
    newDumpVnode(4, 1, { type: 1 }),
  ]
  const { bytes, length } = written((writer) => {
    writer.begin(header)
    writer.volume(volume)
    for (const vnode of vnodes) {
      writer.vnode(vnode)
      if (vnode.dataLength !== undefined) writer.data(new Uint8Array(vnode.dataLength))
    }
    writer.unchanged(6, 1)
    writer.end()
  })
  const sizes = vnodes.reduce((sum, vnode) => sum + dumpVnodeSize(vnode), 0)
  t.is(bytes.length, dumpHeadersSize(header, volume) + sizes + unchangedVnodeSize + 5)
  t.is(length, bytes.length)
})

function attributesOf(vnode: Parameters<typeof newDumpVnode>[2]): string {
  const { bytes } = written((writer) => {
    writer.begin(header)
    writer.volume(newDumpVolumeHeader())
    writer.vnode(newDumpVnode(2, 3, vnode))
    writer.flush()
  })
  const start = bytes.indexOf(Buffer.from("030000000200000003", "hex"))
  return bytes.subarray(start + 9).toString("hex")
}

test("dump writer: a group is written only if there is one, a list only if it can be restored", (t) => {
  t.false(attributesOf({ group: 0 }).includes("6700"))
  t.true(attributesOf({ group: -2 }).includes("67fffffffe"))
  t.is(attributesOf({ accessList: new Uint8Array(192).fill(0xff) }).length, attributesOf({}).length)
  t.is(attributesOf({ accessList: rootAccessList() }).length, attributesOf({}).length + 2 * 193)
})

test("dump writer: file data of 4 GiB and more has a long length", (t) => {
  t.regex(attributesOf({ dataLength: 0xffff_ffff }), /66ffffffff$/)
  t.regex(attributesOf({ dataLength: 2 ** 32 }), /680000000100000000$/)
  t.regex(attributesOf({ dataLength: 0x1_0000_0019 }), /680000000100000019$/)
  t.regex(attributesOf({ dataLength: 0 }), /6600000000$/)
  t.notRegex(attributesOf({}), /66/)
})

test("dump writer: an access list and the vnode it came from stay as they were", (t) => {
  const list = Buffer.from(rootAccessList())
  attributesOf({ accessList: list })
  t.deepEqual(list, Buffer.from(rootAccessList()))
})

test("dump writer: small records are collected, large data goes through as it is", (t) => {
  const large = new Uint8Array(100_000).fill(7)
  const seen: Uint8Array[] = []
  const writer = new DumpWriter({ write: (bytes) => void seen.push(bytes) })
  writer.begin(header)
  writer.volume(newDumpVolumeHeader())
  for (let vnode = 2; vnode < 200; vnode += 2) {
    writer.vnode(newDumpVnode(vnode, 1, { type: 1, dataLength: 10 }))
    writer.data(new Uint8Array(10))
  }
  t.is(seen.length, 0)
  writer.vnode(newDumpVnode(200, 1, { type: 1, dataLength: large.length }))
  writer.data(large)
  t.deepEqual([seen.length, seen[1]], [2, large])
  writer.end()
  t.is(seen.length, 3)
})

test("dump writer: more or less data than announced, and calls out of turn, are bugs that are met at once", (t) => {
  const started = (writer: DumpWriter): void => {
    writer.begin(header)
    writer.volume(newDumpVolumeHeader())
  }
  const wrong: readonly ((writer: DumpWriter) => void)[] = [
    (writer) => writer.volume(newDumpVolumeHeader()),
    (writer) => writer.end(),
    (writer) => {
      started(writer)
      writer.begin(header)
    },
    (writer) => {
      started(writer)
      writer.data(new Uint8Array(1))
    },
    (writer) => {
      started(writer)
      writer.vnode(newDumpVnode(2, 1, { dataLength: 3 }))
      writer.data(new Uint8Array(4))
    },
    (writer) => {
      started(writer)
      writer.vnode(newDumpVnode(2, 1, { dataLength: 3 }))
      writer.data(new Uint8Array(2))
      writer.end()
    },
    (writer) => {
      started(writer)
      writer.vnode(newDumpVnode(2, 1, { dataLength: 3 }))
      writer.unchanged(4, 1)
    },
    (writer) => {
      started(writer)
      writer.end()
      writer.unchanged(4, 1)
    },
  ]
  for (const act of wrong) t.throws(() => written(act), { message: /^dump writer: / })
})

test("dump writer: a text that does not fit into its field, or would end early, is a bug", (t) => {
  for (const name of ["x".repeat(32), "a\0b"])
    t.throws(() => written((writer) => writer.begin({ ...header, name })), { instanceOf: RangeError })
  const volume = newDumpVolumeHeader({
    name: "x".repeat(31),
    offlineMessage: "o".repeat(127),
    message: "m".repeat(127),
  })
  t.notThrows(() =>
    written((writer) => {
      writer.begin(header)
      writer.volume(volume)
      writer.end()
    }),
  )
})

test("dump writer: an incremental dump has what changed since its date, that second included, and all directories", (t) => {
  const extent = { from: 100, omitDirectories: false }
  t.deepEqual(
    [99, 100, 101].map((serverModifyTime) => isDumpedInFull({ type: 1, serverModifyTime }, extent)),
    [false, true, true],
  )
  t.true(isDumpedInFull({ type: 2, serverModifyTime: 5 }, extent))
  t.false(isDumpedInFull({ type: 2, serverModifyTime: 5 }, { ...extent, omitDirectories: true }))
  t.true(isDumpedInFull({ type: 3, serverModifyTime: 0 }, { from: 0, omitDirectories: true }))
  t.true(isDumpedInFull({ type: 1, serverModifyTime: 0xffff_fff0 }, { from: 0x8000_0000, omitDirectories: false }))
  for (const { volume, kind, from, file } of fixtureManifest("tree").dumps) {
    const dumped = rewritten(sampleDump(file.replace(/\.xz$/, "")))
    t.is(dumped.readUInt32BE(dumped.indexOf("t\0\x02", 0, "latin1") + 3), kind === "full" ? 0 : from, volume)
  }
})

test("dump writer: the state that a dump holds is dated by the kind of volume", (t) => {
  const info = { updateDate: 3, creationDate: 2, backupDate: 1 }
  t.deepEqual(
    [0, 1, 2].map((type) => dumpedState({ ...info, type })),
    [3, 2, 1],
  )
  t.is(dumpedState({ ...info, type: 2, backupDate: 0 }), 2)
})
