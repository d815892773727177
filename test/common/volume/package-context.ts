import test from "ava"
import { factsOf, noTotals } from "../../../common/volume/package-context.ts"
import { clones, serve } from "../../support/served-volumes.ts"

test("package context: counters begin at zero, each package with its own", (t) => {
  t.true(Object.values(noTotals()).every((count) => count === 0))
  t.not(noTotals(), noTotals())
})

test("package context: log lines name the volume and its partition", (t) => {
  const volume = serve(t).volumes.find(clones.rw)
  if (volume === undefined) return t.fail()
  t.deepEqual(factsOf(volume), { volume: clones.rw, partition: "/vicepa" })
})
