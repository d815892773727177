import test from "ava"
import { RxError, rxCodes } from "../../../common/rx/codes.ts"

test("codes: an error says what ended, why and with which code", (t) => {
  const error = new RxError(rxCodes.unknownOpcode, "aborted by the peer", "call 3 of service 52 to 10.0.0.1:7003")
  t.is(error.message, "call 3 of service 52 to 10.0.0.1:7003: aborted by the peer (code -455)")
  t.deepEqual([error.code, error.reason, error.name], [-455, "aborted by the peer", "RxError"])
})
