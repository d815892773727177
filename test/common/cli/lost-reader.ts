import { existsSync } from "node:fs"
import { join } from "node:path"
import test from "ava"
import { builtProgram } from "../../support/project.ts"
import { spawnProgram } from "../../support/spawned.ts"
import { temporaryDirectory } from "../../support/temporary-directory.ts"

/** A salvage whose output went through `head` once ended half-way, with volumes checked out. */
test("lost reader: what nobody reads any more ends no work", async (t) => {
  const done = join(temporaryDirectory(t), "done")
  const source = `
    import { writeFileSync } from "node:fs"
    import { outliveReaders } from ${JSON.stringify(builtProgram("common/cli/lost-reader.ts"))}
    outliveReaders()
    outliveReaders()
    for (let line = 0; line < 50; line++) {
      process.stdout.write("line\\n")
      process.stderr.write("line\\n")
      await new Promise((resolve) => setTimeout(resolve, 2))
    }
    writeFileSync(process.env.DONE, "")`
  const words = ["-c", `"$0" --input-type=module -e "$SOURCE" 2>&1 | head -1; [ "\${PIPESTATUS[0]}" = 0 ]`]
  const environment = { SOURCE: source, DONE: done }
  const { status, stdout } = await spawnProgram(t, "bash", [...words, process.execPath], { environment }).ended
  t.is(status, 0)
  t.is(stdout, "line\n")
  t.true(existsSync(done))
})
