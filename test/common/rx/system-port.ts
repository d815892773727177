import test from "ava"
import { openSystemPort } from "../../../common/rx/system-port.ts"
import { libcAbsence, openLibc } from "../../../common/system/libc.ts"
import { testPort } from "../../support/port-contract.ts"

if (openLibc() === undefined) test.skip(`system port (${libcAbsence()})`, () => undefined)
else testPort("system port", openSystemPort)

test("system port: an address that is none is refused", async (t) => {
  const events = { receive: () => undefined, batchEnd: () => undefined }
  await t.throwsAsync(openSystemPort("nowhere", 0, events))
})
