import { spawn } from "node:child_process"
import { once } from "node:events"
import { readdirSync, readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { setTimeout as pause } from "node:timers/promises"
import test from "ava"
import { treeDump } from "../../support/dump-builder.ts"
import { builtProgram } from "../../support/project.ts"
import { runDafs } from "../../support/spawned.ts"
import { temporaryDirectory } from "../../support/temporary-directory.ts"
import { newPartition } from "../../support/volume-builder.ts"

// `dafs vos restore --file` closed the dump as soon as the restore had begun: from the second piece on it read from
// whatever file had been given the descriptor's number, and no dump of more than 256 KiB could be restored by its name.
test("vos restore: a dump of many pieces is read from its file to the end", async (t) => {
  const directory = temporaryDirectory(t)
  const partition = newPartition(join(directory, "vicepa")).path
  const tree = { large: { size: 3_000_000 }, small: "a few bytes", folder: { folder: { other: { size: 700_000 } } } }
  writeFileSync(join(directory, "dump"), treeDump(tree, { name: "many.pieces" }))
  const where = ["--partition", partition, "--state-dir", directory, "--offline"]
  const restored = await runDafs(["vos", "restore", "--file", join(directory, "dump"), "--json", ...where])
  t.is(restored.status, 0, restored.stderr)
  t.like(JSON.parse(restored.stdout), { name: "many.pieces", filecount: 5 })
  const over = await runDafs([
    ...["vos", "restore", "--file", join(directory, "dump"), "--overwrite", "full", "--json", ...where],
  ])
  t.is(over.status, 0, over.stderr)
  t.like(JSON.parse(over.stdout), { overwritten: true, filecount: 5 })
})

/** Resolves when the process waits inside the kernel for its input, a pipe or a socket, to be written to. */
async function waitsForInput(pid: number): Promise<void> {
  while (!/pipe_read|unix_stream/.test(readFileSync(`/proc/${pid}/wchan`, "latin1"))) await pause(10)
}

// Nobody who waits in a read can run a handler: `dafs vos restore` at a terminal had to be killed.
test("vos restore: while nothing comes from standard input a signal ends it, and nothing was begun", async (t) => {
  const directory = temporaryDirectory(t)
  const partition = newPartition(join(directory, "vicepa")).path
  const before = readdirSync(partition)
  const words = ["vos", "restore", "silent", "--partition", partition, "--state-dir", directory, "--offline"]
  const child = spawn(process.execPath, [builtProgram("cli/dafs.ts"), ...words], {
    stdio: ["pipe", "ignore", "inherit"],
  })
  t.teardown(() => void child.kill("SIGKILL"))
  await waitsForInput(child.pid ?? 0)
  child.kill("SIGINT")
  const [status, signal] = await once(child, "exit")
  t.deepEqual([status, signal], [null, "SIGINT"])
  t.deepEqual(readdirSync(partition), before)
})
