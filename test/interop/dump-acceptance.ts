/** The reader of dumps takes and refuses the same streams as OpenAFS's volume server. */
import { writeFileSync } from "node:fs"
import { join } from "node:path"
import { DumpReader } from "../../common/dump/dump-reader.ts"
import { FormatError } from "../../common/error.ts"
import { cellAddress, sharedCell, wholeCell } from "../support/cell.ts"
import { sampleDump, sourceOf } from "../support/dump-samples.ts"
import { end, stream, tag, text, u32 } from "../support/dump-transcript.ts"
import { needsCell } from "../support/requirements.ts"

// Places in the dump of an empty volume; see docs/formats/dump.md.
const inDumpHeader = 0x09
const volumeAt = 0x22
const inVolumeHeader = 0x23
const vnodeAt = 0xaf
const inVnode = 0xb8
const listAt = 0xdf
const endAt = 0x9a4
const sample = needsCell.met ? sampleDump("empty.v.empty.dump") : Buffer.alloc(0)

const inserted = (at: number, ...parts: (string | Uint8Array)[]): Buffer =>
  stream(sample.subarray(0, at), ...parts, sample.subarray(at))
const without = (from: number, to: number): Buffer => stream(sample.subarray(0, from), sample.subarray(to))
const patched = (at: number, hex: string): Buffer => {
  const bytes = Buffer.from(sample)
  bytes.write(hex, at, "hex")
  return bytes
}
const withFile = (...attributes: string[]): Buffer =>
  inserted(endAt, `03 ${u32(2)} ${u32(9)} 7401 6c0001`, ...attributes)

const streams: Readonly<Record<string, () => Buffer>> = {
  "as it is": () => sample,
  "wrong begin mark": () => patched(1, "b3a11323"),
  "another version": () => patched(5, "000000ff"),
  "dump header without id": () => without(0x09, 0x0e),
  "dump header without name": () => without(0x0e, 0x17),
  "dump header without dates": () => without(0x17, 0x22),
  "dump header with unknown attributes": () => inserted(inDumpHeader, "71 00000003 7b 50 03 aabbcc"),
  "A in the dump header": () => inserted(inDumpHeader, "41 03 aabbcc"),
  "C in the dump header": () => inserted(inDumpHeader, "43 03 aabbcc"),
  "B in the dump header": () => inserted(inDumpHeader, "42 03 aabbcc"),
  "volume header without attributes": () => without(inVolumeHeader, vnodeAt),
  "no volume header": () => without(volumeAt, vnodeAt),
  "old counter in the volume header": () => inserted(inVolumeHeader, "56 00000007"),
  "nine days of week use": () => inserted(inVolumeHeader, `57 0009 ${"00000001".repeat(9)}`),
  "name too long for its field": () => inserted(inVolumeHeader, `6e ${text("n".repeat(60))}`),
  "unknown attribute in the volume header": () => inserted(inVolumeHeader, "50 81 02 aaaa 78 00000000 7f"),
  "two volume headers": () => inserted(vnodeAt, sample.subarray(volumeAt, vnodeAt)),
  "no vnode at all": () => without(vnodeAt, endAt),
  "unknown short attribute": () => inserted(inVnode, "50 05 0102030405"),
  "unknown attribute of no bytes": () => inserted(inVnode, "50 00 7b 7c 7d 7f"),
  "unknown attribute with one length byte": () => inserted(inVnode, "15 81 03 aaaaaa"),
  "unknown attribute with four length bytes": () => inserted(inVnode, "60 84 00000003 aaaaaa"),
  "unknown attribute with eight length bytes": () => inserted(inVnode, "60 88 0000000000000003 aaaaaa"),
  "unknown number": () => inserted(inVnode, "71 00000000 7a ffffffff"),
  "tag above 0x7f": () => inserted(inVnode, "80"),
  "unknown critical attribute": () => inserted(inVnode, "7e 7b"),
  "unknown critical number": () => inserted(inVnode, "7e 71 00000000"),
  "known critical attribute": () => inserted(inVnode, `7e 6f ${u32(7)}`),
  "list with 21 entries": () => patched(listAt + 8, "00000015"),
  "list with negative count": () => patched(listAt + 8, "ffffffff"),
  "list whose parts do not add up": () => patched(listAt + 16, "00000001"),
  "list with a size too small": () => patched(listAt, "0000001b"),
  "list with a size too large": () => patched(listAt, "000000c8"),
  "empty list": () => patched(listAt, `${u32(20)}00000001${"00".repeat(12)}`),
  "list of another version": () => patched(listAt + 4, "00000009"),
  "file without data": () => withFile(),
  "file with short data": () => withFile("66 00000003 616263"),
  "file with long length": () => withFile("68 00000000 00000003 616263"),
  "file with data twice": () => withFile("66 00000003 616263 66 00000002 6465"),
  "attributes after the data": () => withFile("66 00000003 616263 76 00000004"),
  "unchanged vnode that is not there": () => inserted(endAt, `03 ${u32(6)} ${u32(6)}`),
  "section 5": () => inserted(endAt, "05"),
  "wrong end mark": () => stream(sample.subarray(0, endAt), "04 3a214b6f 3a214b6e"),
  "bytes after the end": () => stream(sample, end),
  ...Object.fromEntries(
    [..."BCDEMOUVWZ"].map((letter) => [`${letter} in a vnode`, () => inserted(inVnode, tag(letter), "03 aabbcc")]),
  ),
}

function isAccepted(bytes: Uint8Array): boolean {
  const reader = new DumpReader(sourceOf(bytes))
  try {
    while (reader.next().kind !== "end");
    return true
  } catch (error) {
    if (error instanceof FormatError) return false
    throw error
  }
}

const cell = sharedCell(...wholeCell)

for (const [index, [about, make]] of Object.entries(streams).entries()) {
  needsCell.serial(`dump acceptance: as OpenAFS's volume server does it: ${about}`, async (t) => {
    const bytes = make()
    const file = join(cell().directory, "stream.dump")
    writeFileSync(file, bytes)
    const { status, stderr } = await cell().try("vos", [
      "restore",
      cellAddress,
      "a",
      `r.${index}`,
      "-file",
      file,
      "-noauth",
    ])
    t.is(isAccepted(bytes), status === 0, stderr)
  })
}
