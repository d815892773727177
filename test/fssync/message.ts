import test from "ava"
import { commonReasons, fssyncReasons, nameIn, responses } from "../../fssync/message.ts"

test("message: numbers have the names of their table, and others their digits", (t) => {
  t.is(nameIn(responses, 2), "COM_ERROR")
  t.is(nameIn(fssyncReasons, 65549), "PART_SCANNING")
  t.is(nameIn(commonReasons, 4), "PAYLOAD_TOO_BIG")
  t.is(nameIn(responses, 99), "99")
})
