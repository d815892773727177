import test from "ava"
import { CallbackTable } from "../../fileserver/callbacks.ts"
import { keptLog } from "../support/served-volumes.ts"

test("callbacks: breaks are counted and logged, for any volume", (t) => {
  const log = keptLog()
  const callbacks = new CallbackTable(log)
  callbacks.breakVolume(5)
  callbacks.breakVolume(4711)
  t.is(callbacks.breaks, 2)
  t.deepEqual(
    log.lines.map(({ facts }) => facts),
    [{ volume: 5 }, { volume: 4711 }],
  )
})
