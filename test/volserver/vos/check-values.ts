import test from "ava"
import { AfsError } from "../../../common/error.ts"
import { checkValues, ownValues } from "../../../volserver/vos/check-values.ts"
import { command as dump } from "../../../volserver/vos/dump.ts"
import { command as restore } from "../../../volserver/vos/restore.ts"

test("values: what is left out gets its default, what is given stays", (t) => {
  const values = checkValues(dump, { volume: "v", partition: ["/vicepa"], clone: true })
  t.like(values, { volume: "v", partition: ["/vicepa"], clone: true, omitdirs: false, offline: false, file: undefined })
})

test("values: unknown names and wrong types are refused", (t) => {
  for (const bad of [
    { volume: 5 },
    { volume: "v", file: 5 },
    { volume: "v", clone: "yes" },
    { volume: "v", partition: "/vicepa" },
    { volume: "v", partition: [5] },
    { volume: "v", constructor: 1 },
    { volume: "v", nothing: 1 },
    {},
  ]) {
    t.throws(() => checkValues(dump, bad), { instanceOf: AfsError }, JSON.stringify(bad))
  }
  t.throws(() => checkValues(restore, { overwrite: "maybe" }), { code: "USAGE" })
})

test("values: only a command's own go to the volserver", (t) => {
  const parsed = { ...checkValues(dump, { volume: "v" }), _: ["vos"], $0: "dafs", id: "v" }
  t.deepEqual(ownValues(dump, parsed), {
    ...{ volume: "v", clone: false, omitdirs: false },
    ...{ offline: false, json: false, volserver: false, quiet: false },
  })
})
