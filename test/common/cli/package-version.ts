import { readFileSync } from "node:fs"
import test from "ava"
import { packageVersion } from "../../../common/cli/package-version.ts"
import { projectFile } from "../../support/project.ts"

test("version: is that of package.json", (t) => {
  const { version } = JSON.parse(readFileSync(projectFile("package.json"), "utf8")) as { version: string } // npm's file
  t.is(packageVersion(), version)
})
