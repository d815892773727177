import { writeFileSync } from "node:fs"
import { join } from "node:path"
import { pathToFileURL } from "node:url"
import test from "ava"
import { loaderOf, requiresQuietly } from "../../../common/cli/load-now.ts"
import { temporaryDirectory } from "../../support/temporary-directory.ts"

test("load now: a module is found beside the one that loads it, once, and is the one that others import", async (t) => {
  const load = loaderOf(import.meta.url)
  const loaded = await load<typeof import("../../../common/cli/dash-values.ts")>("../../../common/cli/dash-values.js")
  t.is(loaded.joinDashes, (await import("../../../common/cli/dash-values.ts")).joinDashes)
})

test("load now: a module that is not there, or that fails, is told", async (t) => {
  const folder = temporaryDirectory(t)
  const load = loaderOf(pathToFileURL(join(folder, "here.js")).href)
  await t.throwsAsync(load("./absent.js"), { message: /absent\.js/ })
  writeFileSync(join(folder, "package.json"), '{ "type": "module" }')
  writeFileSync(join(folder, "failing.js"), 'throw new Error("not today")')
  await t.throwsAsync(load("./failing.js"), { message: "not today" })
})

// Node.js 22.12 said of every command, on standard error, that it loads a module in an experimental way.
test("load now: where Node.js warns of requiring, modules are imported", (t) => {
  for (const version of ["22.12.0", "23.0.0", "23.4.1"]) t.false(requiresQuietly(version), version)
  for (const version of ["20.19.0", "22.13.0", "23.5.0", "24.0.0", "122.12.0"])
    t.true(requiresQuietly(version), version)
})
