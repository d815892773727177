import test from "ava"
import { openSystemPort } from "../../../common/rx/system-port.ts"
import { libcAbsence, openLibc } from "../../../common/system/libc.ts"
import { testPort } from "../../support/port-contract.ts"

const deaf = { receive: () => undefined, batchEnd: () => undefined, unreachable: () => undefined }

if (openLibc() === undefined) test.skip(`system port (${libcAbsence()})`, () => undefined)
else testPort("system port", openSystemPort)

test("system port: it hears that nobody listens at a port, and of which peer that is true", async (t) => {
  if (openLibc() === undefined) return t.pass()
  const host = 0x7f00_0001
  const gone = await openSystemPort("127.0.0.1", 0, deaf)
  await gone.close()
  const told = new Promise<readonly number[]>((resolve, reject) => {
    const unreachable = (...peer: readonly number[]): void => resolve(peer)
    openSystemPort("127.0.0.1", 0, { ...deaf, unreachable }).then((port) => {
      t.teardown(() => port.close())
      port.send(Buffer.alloc(40), 40, host, gone.port)
      port.flush()
    }, reject)
  })
  t.deepEqual(await told, [host, gone.port])
})

test("system port: an address that is none is refused", async (t) => {
  await t.throwsAsync(openSystemPort("nowhere", 0, deaf))
})
