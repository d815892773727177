/** `npm run bench`: every question in turn, each in a process of its own. Words after `--` are handed on (`--json`). */
import { spawnSync } from "node:child_process"
import { join } from "node:path"

const questions = [
  "lock",
  "fssync",
  "checkout",
  "attach",
  "start",
  "shutdown",
  "memory",
  "callbacks",
  "dump-restore",
  "clone",
  "commands",
  "salvage",
  "ready-read",
  "rx",
  "fileserver",
  "flood",
] as const

let failures = 0
for (const question of questions) {
  process.stderr.write(`\n== ${question} ==\n`)
  const words = [join(import.meta.dirname, `${question}.js`), ...process.argv.slice(2)]
  const { status } = spawnSync(process.execPath, words, { stdio: "inherit" })
  if (status !== 0) failures++
}
if (failures > 0) {
  process.stderr.write(`${failures} of ${questions.length} benchmarks failed\n`)
  process.exitCode = 1
}
