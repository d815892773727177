/** `dafs salvager` on the command line, without a fileserver. */
import { existsSync, readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import test from "ava"
import { lockVolume } from "../../common/lock/volume-lock.ts"
import { openPartition } from "../../common/partition/partition.ts"
import { describeTree, partitionProblems, readPartitionState } from "../support/partition-state.ts"
import { base, dataPath, patchDirectory } from "../support/patch.ts"
import { builtProgram } from "../support/project.ts"
import { damagedPartition, snapshot } from "../support/salvaged.ts"
import { runDafs, runProgram } from "../support/spawned.ts"
import { temporaryDirectory } from "../support/temporary-directory.ts"

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

test("dafs salvager adds every run to SalvageLog in the state directory, or to the file that is named", async (t) => {
  const directory = damagedPartition(t, "vnode-links-dir")
  const state = temporaryDirectory(t)
  const run = (...words: string[]) =>
    runDafs(["salvager", "--partition", directory, "--state-dir", state, "--offline", "--force", ...words])
  await run("--nowrite")
  await run()
  const log = readFileSync(join(state, "SalvageLog"), "utf8")
  for (const line of log.trim().split("\n")) t.regex(line, /^\w{3} \w{3} \d\d [\d:]{8} \d{4} /)
  t.is(log.match(/STARTING DAFS SALVAGER/g)?.length, 2)
  t.regex(log, /SALVAGING FILE SYSTEM PARTITION \S+ \(READONLY mode\)/)
  t.regex(log, /vnode's link count is not/)
  t.regex(log, /Salvaged \S+ \(\d+\): \d+ files, \d+ blocks/)
  t.is(log.match(/SALVAGING OF PARTITION \S+ COMPLETED/g)?.length, 2)
  const { status } = await run("--logfile", join(state, "absent", "log"))
  t.is(status, 0, "a log that cannot be kept stops nothing")
})

/** A file of the volume without clones that its root no longer names. */
function orphaned(t: Parameters<typeof damagedPartition>[0]): string {
  const directory = damagedPartition(t, "base")
  patchDirectory(dataPath(directory, base.docs, 1, 1), (root) => {
    const file = [...root.entries()].find(({ vnode }) => vnode % 2 === 0)
    if (file !== undefined) root.remove(file.name)
  })
  return directory
}

for (const [policy, code] of [
  ["ignore", "orphan-left"],
  ["remove", "orphan-removed"],
  ["attach", "orphan-attached"],
] as const) {
  test(`dafs salvager --orphans ${policy} says so, and a second run finds it only where it was left`, async (t) => {
    const directory = orphaned(t)
    const { stdout } = await salvage(directory, "--force", "--json", "--orphans", policy)
    t.true(stdout.includes(`"code":"${code}"`))
    const again = await salvage(directory, "--force", "--json", "--orphans", policy)
    t.is(again.stdout.includes(`"code":"${code}"`), policy === "ignore")
  })
}

test("dafs salvager --salvagedirs rebuilds every directory, and nothing that a client sees changes", async (t) => {
  const directory = damagedPartition(t, "base")
  const plain = (line: string): string => line.replace(/ (version|length) \d+/g, "")
  const trees = (): string[][] =>
    [...readPartitionState(directory).volumes.values()].map((volume) =>
      Object.entries(describeTree(volume, { dates: false })).map(([path, line]) => `${path} ${plain(line)}`),
    )
  const before = trees()
  const { stdout, status } = await salvage(directory, "--force", "--salvagedirs", "--json")
  t.is(status, 0)
  t.true((stdout.match(/"code":"directory-redone"/g)?.length ?? 0) > 10)
  t.deepEqual(trees(), before)
  t.deepEqual(partitionProblems(directory), [])
})

test("dafs salvager removes an OpenAFS fileserver's saved client state when it changes contents behind its back", async (t) => {
  const state = temporaryDirectory(t)
  const saved = join(state, "fsstate.dat")
  for (const [name, words, isGone] of [
    ["base", [], false],
    ["vnode-links-dir", ["--nowrite"], false],
    ["vnode-links-dir", [], true],
    ["vnode-links-dir", ["--volumeid", String(base.proj.rw)], true],
  ] as const) {
    writeFileSync(saved, "promises")
    const directory = damagedPartition(t, name)
    await runDafs(["salvager", "--partition", directory, "--state-dir", state, "--offline", "--force", ...words])
    t.is(existsSync(saved), !isGone, `${name} ${words.join(" ")}`)
  }
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
  const { status, stderr } = await salvage(directory, "--volumeid", String(base.proj.bk))
  t.is(status, 11)
  t.regex(stderr, new RegExp(`volume ${base.proj.rw} .*pid ${process.pid}`))
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

// A salvage that found nothing set the status to 0, whatever had gone wrong beside it.
test("dafs salvager: a report that cannot be written fails, also where all volumes are sound", async (t) => {
  const directory = damagedPartition(t, "multi-headers")
  t.is((await salvage(directory, "--force")).status, 0)
  const words = [process.execPath, builtProgram("cli/dafs.ts"), "salvager", "--partition", directory, "--nowrite"]
  const end = await runProgram("sh", ["-c", '"$@" --offline > /dev/full', "sh", ...words])
  t.is(end.status, 1)
  t.regex(end.stderr, /ENOSPC/)
})
