import { closeSync, openSync, readFileSync, readSync, statSync, truncateSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import test, { type ExecutionContext } from "ava"
import { fsCommand } from "../../cli/fs.ts"
import { isAfsError } from "../../common/error.ts"
import { runInProcess } from "../support/in-process-cli.ts"
import { builtProgram } from "../support/project.ts"
import { seededRandom } from "../support/random.ts"
import { type ServedFiles, serveFiles } from "../support/served-files.ts"
import { type Finished, runDafs, runProgram } from "../support/spawned.ts"
import { temporaryDirectory } from "../support/temporary-directory.ts"

/** `dafs fs` on a served volume: words in which V stands for the volume, S for the server. */
function commandsOn({ volume, port }: ServedFiles) {
  const words = (line: string): string[] =>
    line.split(" ").map((word) => (word === "S" ? `127.0.0.1:${port}` : word.replace(/^V:/, `${volume}:`)))
  const run = (line: string): Promise<string> => runInProcess(fsCommand, ["fs", ...words(line)])
  const json = async (line: string): Promise<unknown> => JSON.parse(await run(`${line} --json`))
  return { words, run, json }
}

async function codeOf(t: ExecutionContext, running: Promise<string>): Promise<string> {
  const error = await t.throwsAsync(running)
  return isAfsError(error) ? error.code : String(error)
}

test.serial("dafs fs: files go in and come out, by path and by fid, whatever their length", async (t) => {
  const served = await serveFiles(t)
  const { run, json } = commandsOn(served)
  const folder = temporaryDirectory(t)
  const [from, to] = [join(folder, "data"), join(folder, "back")]
  for (const length of [0, 1, 1_000_003]) {
    const data = seededRandom(t).bytes(length)
    writeFileSync(from, data)
    const stored = (await json(`put S ${from} V:/`)) as { fid: string } // as the line after proves
    t.like(stored, { length, mode: "0644", type: "file" })
    await run(`get S V:data ${to}`)
    t.true(readFileSync(to).equals(data), `${length} bytes`)
    await run(`get S ${stored.fid} ${to}`)
    t.true(readFileSync(to).equals(data), `${length} bytes by fid`)
  }
  await run(`get S V:data ${folder}`)
  t.like(await json(`put S ${from} V:other --mode 600`), { mode: "0600" })
  t.is(await codeOf(t, run(`get S V:none ${to}`)), "ENOENT")
  t.is(await codeOf(t, run(`put S ${join(folder, "none")} V:x`)), "ENOENT")
  t.is(await codeOf(t, run(`put S ${folder} V:x`)), "EISDIR")
  t.is(await codeOf(t, run(`get S V:/ ${to}`)), "EISDIR")
})

test.serial("dafs fs: standard input and output are a dash", async (t) => {
  const served = await serveFiles(t)
  const { words } = commandsOn(served)
  const data = Buffer.alloc(300_000, "words and more words ").toString()
  const put = await runDafs(["fs", ...words("put S - V:piped")], { input: data })
  t.is(put.status, 0, put.stderr)
  const got = await runDafs(["fs", ...words("get S V:piped -")])
  t.is(got.status, 0, got.stderr)
  t.is(got.stdout, data)
})

test.serial("dafs fs: holes of a file stay holes, here and there", async (t) => {
  const served = await serveFiles(t)
  const { run, json } = commandsOn(served)
  const folder = temporaryDirectory(t)
  const [from, to] = [join(folder, "sparse"), join(folder, "back")]
  writeFileSync(from, "begin")
  truncateSync(from, 2 ** 32 + 3)
  t.like(await json(`put S ${from} V:large`), { length: 2 ** 32 + 3 })
  const length = 20_000_003
  truncateSync(from, length)
  t.like(await json(`put S ${from} V:sparse`), { length })
  writeFileSync(to, "what was there before")
  await run(`get S V:sparse ${to}`)
  const { size, blocks } = statSync(to)
  t.is(size, length)
  t.true(blocks * 512 < 1 << 20)
  const start = Buffer.alloc(10)
  const opened = openSync(to, "r")
  readSync(opened, start)
  closeSync(opened)
  t.is(start.toString("latin1"), "begin\0\0\0\0\0")
})

test.serial("dafs fs: a reader that has seen enough ends it, and nothing is wrong; a full disk is", async (t) => {
  const served = await serveFiles(t, { big: { size: 8 << 20 } })
  const { words } = commandsOn(served)
  const piped = async (line: string, rest: string): Promise<Finished> => {
    const dafs = [process.execPath, builtProgram("cli/dafs.ts"), "fs", ...words(line)].map((word) => `'${word}'`)
    return await runProgram("bash", ["-c", `${dafs.join(" ")} ${rest}; exit \${PIPESTATUS[0]}`])
  }
  const enough = await piped("get S V:big -", "| head -c 10 | wc -c")
  t.deepEqual(enough, { status: 0, signal: null, stdout: "10\n", stderr: "" })
  t.like(await piped("ls S V:", "| true"), { status: 0, stderr: "" })
  t.like(await piped("get S V:big - --json", "| true"), { status: 0, stderr: "" })
  const full = await piped("ls S V:", ">/dev/full")
  t.is(full.status, 1)
  t.regex(full.stderr, /^dafs: output: .*no space left/)
  t.is(full.stderr.trim().split("\n").length, 1)
})

test.serial(
  "dafs fs: access lists and quotas are shown where nothing else is asked, and rights that are none explained",
  async (t) => {
    const served = await serveFiles(t)
    const { run, json } = commandsOn(served)
    t.is(await run("acl S V:"), await run("acl get S V:"))
    t.is(await run(`quota S ${served.volume}`), await run(`quota get S ${served.volume}`))
    t.deepEqual(await json(`ls S ${served.volume}`), [])
    const error = await t.throwsAsync(run("acl set S V: system:anyuser xyz"))
    t.true(isAfsError(error, "USAGE"))
    t.regex(error?.message ?? "", /"xyz" are no rights: letters of rlidwka/)
  },
)

test.serial("dafs fs: names are made, listed, moved and removed", async (t) => {
  const { run, json } = commandsOn(await serveFiles(t, { file: { file: "content", modified: 1_000_000_000 } }))
  await run("mkdir S V:a/b --parents")
  await run("ln S V:file V:again")
  await run("symlink S a/b V:short")
  await run("mkmount S V:there root.cell --rw")
  t.deepEqual(
    ((await json("ls S V:")) as { name: string; isMountPoint: boolean }[]).map(({ name }) => name), // as the next line proves
    ["a", "again", "file", "short", "there"],
  )
  const listing = await run("ls S V:")
  t.regex(listing, /-rw-r--r-- +2 +0 +0 +7 +2001-09-09 01:46:40 +1 .* file\n/)
  t.regex(listing, /\nm.* there\n/)
  t.regex(listing, /\nl.* short\n/)
  t.is(await codeOf(t, run("mv S V:file V:short")), "EXDEV")
  t.regex(await run("ls S V:again"), / again\n/)
  await run("rm S V:again")
  await run("mv S V:file V:short")
  t.regex(await run("ls S V:a/b"), / file\n/)
  t.like(await json("stat S V:there"), { isMountPoint: true, contents: "%root.cell." })
  t.regex(await run("stat S V:short"), /type +symlink.*leads to: a\/b/s)
  t.regex(await run("stat S V:short --follow"), /type +directory/)
  t.is(await codeOf(t, run("rmdir S V:a")), "ENOTEMPTY")
  t.is(await codeOf(t, run("rm S V:a")), "EISDIR")
  t.deepEqual(await json("rm S V:a --recursive"), { type: "done", removed: 3 })
  await run("rm S V:short")
  await run("rm S V:there")
  t.is(await run("ls S V:"), "")
})

test.serial("dafs fs: modes, times, locks", async (t) => {
  const { run, json } = commandsOn(await serveFiles(t, { file: "content" }))
  t.like(await json("chmod S 600 V:file"), { mode: "0600" })
  t.like(await json("touch S V:file --time 2001-09-09T01:46:40Z"), { modifyTime: 1_000_000_000 })
  t.is(await codeOf(t, run("chown S 5:7 V:file")), "EPERM")
  t.like(await json("lock S V:file"), { lockCount: 1 })
  t.is(await codeOf(t, run("lock S V:file --write")), "EAGAIN")
  t.like(await json("lock S V:file --extend"), { lockCount: 1 })
  t.like(await json("unlock S V:file"), { lockCount: 0 })
  t.is(await codeOf(t, run("lock S V:file --extend")), "EINVAL")
})

test.serial("dafs fs: access lists by name, volumes and quotas", async (t) => {
  const served = await serveFiles(t, {}, { quota: 5_000 })
  const { run, json } = commandsOn(served)
  t.is(await run("acl get S V:"), "NAME            RIGHTS\nsystem:anyuser  rlidwka\n")
  await run("acl set S V: system:authuser write 1001 read")
  await run("acl set S V: 1002 all --negative")
  t.deepEqual(await json("acl get S V:"), [
    { part: "positive", name: "system:authuser", rights: "rlidwk" },
    { part: "positive", name: "system:anyuser", rights: "rlidwka" },
    { part: "positive", name: "1001", rights: "rl" },
    { part: "negative", name: "1002", rights: "rlidwka" },
  ])
  await run("acl set S V: system:anyuser all --clear")
  t.is(await run("acl get S V:"), "NAME            RIGHTS\nsystem:anyuser  rlidwka\n")
  t.is(await codeOf(t, run("acl set S V: nobody.known read")), "EINVAL")
  t.like(await json(`volume S ${served.volume}`), { name: "home", quota: 5_000, isReadWrite: true })
  t.regex(await run(`volume S ${served.volume}`), /state +online.*quota +5000 KiB/s)
  t.regex(await run(`quota get S ${served.volume}`), /^home: \d+ KiB of 5000 KiB \(\d+ %\)\n$/)
  t.is(await codeOf(t, run(`quota set S ${served.volume} 10`)), "EACCES")
  t.is(await codeOf(t, run("volume S 4711")), "VNOVOL")
})

test.serial("dafs fs: words that make no sense are usage errors", async (t) => {
  const { run } = commandsOn(await serveFiles(t, { file: "content" }))
  const wrong = [
    "ls S nonsense",
    "ls nowhere:99999 V:",
    "chmod S 999 V:file",
    "chown S ann V:file",
    "touch S V:file --time yesterday",
    "acl set S V: system:anyuser",
    "acl set S V: system:anyuser rx",
    "quota set S 5 1.5",
    "mkdir S 5.1.1",
  ]
  for (const line of wrong) t.is(await codeOf(t, run(line)), "USAGE", line)
})
