/** Text that is gathered. */
import { execFileSync } from "node:child_process"
import { join } from "node:path"
import { setTimeout as delay } from "node:timers/promises"
import test from "ava"
import { gatherText } from "../../../common/cli/gathered-text.ts"

test("gathered text: the first line is seen at once, those that follow fast together, and none is lost", (t) => {
  const writes: string[] = []
  const out = gatherText({ write: (text) => writes.push(text) })
  const lines = Array.from({ length: 5000 }, (_, index) => `line ${index}\n`)
  for (const line of lines) out.write(line)
  t.is(writes[0], lines[0])
  out.flush()
  t.is(writes.join(""), lines.join(""))
  t.true(writes.length < 50, `${writes.length} writes`)
  out.flush()
  t.is(writes.join(""), lines.join(""))
})

test("gathered text: a line that nothing follows is written all the same", async (t) => {
  const writes: string[] = []
  const out = gatherText({ write: (text) => writes.push(text) })
  out.write("first\n")
  out.write("second\n")
  while (writes.length < 2) await delay(1)
  t.deepEqual(writes, ["first\n", "second\n"])
})

test("gathered text: what is held back when the process ends is written", (t) => {
  const module = join(import.meta.dirname, "../../../common/cli/gathered-text.js")
  const program = `
    const { gatherText } = await import(${JSON.stringify(module)})
    const out = gatherText(process.stdout)
    for (const word of ["one ", "two ", "three"]) out.write(word)
    process.exit(3)`
  const run = (): string => execFileSync(process.execPath, ["--input-type=module", "-e", program], { encoding: "utf8" })
  const error = t.throws<Error & { stdout: string; status: number }>(run)
  t.is(error.status, 3)
  t.is(error.stdout, "one two three")
})
