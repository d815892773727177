import test from "ava"
import { nullUuid, uuidBytes, uuidOfBytes } from "../../../common/codec/uuid.ts"
import { FormatError } from "../../../common/error.ts"

const bytes = Buffer.from("0096b6584fba1b01b2d20100007faa77", "hex")

test("uuid: 16 bytes and their text are one another's, in the form that vos prints", (t) => {
  t.is(uuidOfBytes(bytes), "0096b658-4fba-1b01-b2-d2-0100007faa77")
  t.deepEqual(Buffer.from(uuidBytes("0096b658-4fba-1b01-b2-d2-0100007faa77")), bytes)
  t.is(uuidOfBytes(uuidBytes(nullUuid)), nullUuid)
})

test("uuid: the usual form of five groups, in either case, is read too", (t) => {
  t.deepEqual(Buffer.from(uuidBytes("0096B658-4FBA-1B01-B2D2-0100007FAA77")), bytes)
})

test("uuid: what is none is refused with what was found", (t) => {
  for (const wrong of ["", "0096b658", `${nullUuid}0`, "0096b658-4fba-1b01-b2-d2-0100007faa7g"]) {
    t.throws(() => uuidBytes(wrong), { instanceOf: FormatError, message: /wanted text like/ })
  }
  t.throws(() => uuidOfBytes(bytes.subarray(1)), { instanceOf: FormatError, message: /15 bytes, wanted 16/ })
})
