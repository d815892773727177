import { writeFileSync } from "node:fs"
import { join } from "node:path"
import test from "ava"
import { treeDump } from "../../support/dump-builder.ts"
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
