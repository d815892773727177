import test from "ava"
import { FormatError } from "../../../common/error.ts"
import {
  changeInfo,
  hasOfflineMessage,
  infoByte,
  infoWord,
  requireInfoOf,
  setInfoWord,
} from "../../../common/volume/info-fields.ts"
import { newVolumeInfo, volumeInfoLayout } from "../../../common/volume/volume-info.ts"

const bytesOf = (fields: Parameters<typeof newVolumeInfo>[0]): Uint8Array =>
  volumeInfoLayout.encode(newVolumeInfo(fields))

test("info fields: read and changed one by one they are what the layout reads, to the last bit", (t) => {
  const bytes = bytesOf({
    id: 0xf000_0001,
    inUse: 1,
    blessed: 1,
    uniquifier: 0xffff_ffff,
    type: 2,
    updateDate: 2 ** 31,
  })
  t.is(infoByte(bytes, "inUse"), 1)
  t.is(infoByte(bytes, "inService"), 0)
  t.is(infoWord(bytes, "id"), 0xf000_0001)
  t.is(infoWord(bytes, "uniquifier"), 0xffff_ffff)
  t.is(infoWord(bytes, "updateDate"), 2 ** 31)
  setInfoWord(bytes, "uniquifier", 0x8000_0203)
  changeInfo(bytes, { inUse: 6, inService: 1, needsSalvaged: 1, needsCallback: 1, destroyMe: 0xd3, dontSalvage: 0xe5 })
  const info = volumeInfoLayout.read(bytes)
  t.is(info.uniquifier, 0x8000_0203)
  t.deepEqual(
    [
      info.inUse,
      info.inService,
      info.blessed,
      info.needsSalvaged,
      info.needsCallback,
      info.destroyMe,
      info.dontSalvage,
    ],
    [6, 1, 1, 1, 1, 0xd3, 0xe5],
  )
})

test("info fields: an offline message is padded with zeros, clearing it sets one byte", (t) => {
  const bytes = bytesOf({ offlineMessage: "A volume utility is running." })
  t.true(hasOfflineMessage(bytes))
  changeInfo(bytes, { offlineMessage: "" })
  t.false(hasOfflineMessage(bytes))
  const at = volumeInfoLayout.offsets.offlineMessage
  t.is(Buffer.from(bytes.subarray(at + 1, at + 8)).toString(), " volume")
  changeInfo(bytes, { offlineMessage: "gone" })
  t.is(volumeInfoLayout.read(bytes).offlineMessage, "gone")
  t.is(Buffer.from(bytes.subarray(at + 4, at + 128)).toString("latin1"), "\0".repeat(124))
  changeInfo(bytes, {})
  t.is(volumeInfoLayout.read(bytes).offlineMessage, "gone")
})

test("info fields: short bytes, another stamp and another volume's information are refused, naming the file", (t) => {
  const sound = bytesOf({ id: 5 })
  t.notThrows(() => requireInfoOf(5, sound, sound.length, "f"))
  const refused = (bytes: Uint8Array, length: number, found: RegExp): void => {
    const error = t.throws(() => requireInfoOf(5, bytes, length, "/vicepa/f"), { instanceOf: FormatError })
    t.regex(error.message, found)
    t.is(error.path, "/vicepa/f")
  }
  refused(sound, 551, /551 bytes/)
  refused(bytesOf({ id: 5, version: 2 }), 552, /version 2/)
  refused(bytesOf({ id: 5, magic: 1 }), 552, /magic 0x1/)
  refused(bytesOf({ id: 6 }), 552, /volume id 6/)
})
