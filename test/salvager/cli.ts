/** `dafs salvager` on the command line, without a fileserver. */
import { existsSync } from "node:fs"
import { join } from "node:path"
import test from "ava"
import { lockVolume } from "../../common/lock/volume-lock.ts"
import { openPartition } from "../../common/partition/partition.ts"
import { base } from "../support/patch.ts"
import { damagedPartition, snapshot } from "../support/salvaged.ts"
import { runDafs } from "../support/spawned.ts"

function salvage(directory: string, ...words: string[]): ReturnType<typeof runDafs> {
  return runDafs(["salvager", "--partition", directory, "--state-dir", join(directory, "no-servers"), ...words])
}

test("dafs salvager --nowrite writes nothing at all, and its status says that there is damage", async (t) => {
  const directory = damagedPartition(t, "multi-headers")
  const before = snapshot(directory)
  const { status, stdout } = await salvage(directory, "--force", "--nowrite")
  t.is(status, 4)
  t.regex(stdout, /header file is missing/)
  t.deepEqual(snapshot(directory), before)
  for (const name of [".volume.lock", ".volheaders.lock", ".dafs", "Lock"])
    t.false(existsSync(join(directory, name)), name)
})

test("dafs salvager repairs, then finds nothing; --showlog prints lines of OpenAFS's form", async (t) => {
  const directory = damagedPartition(t, "multi-headers")
  t.is((await salvage(directory, "--force")).status, 0)
  const { status, stdout } = await salvage(directory, "--force", "--showlog")
  t.is(status, 0)
  t.regex(stdout, /^\w{3} \w{3} \d\d [\d:]{8} \d{4} .*findings: none$/m)
})

test("dafs salvager keeps what it changes, lists it, and takes it back", async (t) => {
  const directory = damagedPartition(t, "vnode-links-dir")
  const before = snapshot(directory)
  const { stdout } = await salvage(directory, "--force", "--json")
  const name = /"undo":"([^"]+)"/.exec(stdout)?.[1] ?? "none"
  t.regex((await salvage(directory, "--undo", "list")).stdout, new RegExp(name))
  const { status, stdout: said } = await salvage(directory, "--undo", name)
  t.is(status, 0)
  t.regex(said, /was taken back/)
  const after = Object.entries(snapshot(directory)).filter(([path]) => !path.startsWith(".dafs"))
  t.deepEqual(Object.fromEntries(after), before)
  t.is((await salvage(directory, "--undo", name)).status, 10)
})

test("dafs salvager --json prints objects only, and errors as one too", async (t) => {
  const directory = damagedPartition(t, "vnode-links-dir")
  const { stdout } = await salvage(directory, "--force", "--json")
  const types = stdout
    .trim()
    .split("\n")
    .map((line) => (JSON.parse(line) as { type: string }).type) // as documented
  t.deepEqual([...new Set(types)].sort(), ["finding", "group", "summary"])
  const failed = await salvage(join(directory, "absent"), "--json")
  t.not(failed.status, 0)
  t.is((JSON.parse(failed.stderr) as { type: string }).type, "error") // as documented
})

test("dafs salvager without --force skips groups that are marked as consistent", async (t) => {
  const { stdout, status } = await salvage(damagedPartition(t, "base"))
  t.is(status, 0)
  t.regex(stdout, /4 skipped/)
})

test("dafs salvager refuses a volume that is locked at once, names who has it, and says so by its status", async (t) => {
  const directory = damagedPartition(t, "vnode-links-dir")
  using _lock = lockVolume(openPartition(directory), base.proj.rw, "read")
  const started = performance.now()
  const { status, stderr } = await salvage(directory, "--volumeid", String(base.proj.bk))
  t.is(status, 11)
  t.regex(stderr, new RegExp(`volume ${base.proj.rw} .*pid ${process.pid}`))
  t.true(performance.now() - started < 20_000)
})

test("dafs salvager of a volume that does not exist says so", async (t) => {
  const { status, stderr } = await salvage(damagedPartition(t, "base"), "--volumeid", "4711")
  t.is(status, 10)
  t.regex(stderr, /volume 4711/)
})

test("dafs salvager takes only options that make sense", async (t) => {
  const directory = damagedPartition(t, "base")
  for (const words of [["--volumeid", "-1"], ["--volumeid", "x"], ["--orphans", "eat"], ["--no-such-option"]]) {
    const { status, stderr } = await salvage(directory, ...words)
    t.is(status, 2, words.join(" "))
    t.not(stderr, "")
  }
})
