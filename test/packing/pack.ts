/** Packed programs: that they are what runs, and that everything goes on where they cannot. All on copies of the build. */
import { randomBytes } from "node:crypto"
import {
  appendFileSync,
  chmodSync,
  chownSync,
  existsSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from "node:fs"
import { dirname, join } from "node:path"
import anyTest, { type ExecutionContext, type TestFn } from "ava"
import { fileserverSwitches } from "../../cli/node-switches.ts"
import { starters } from "../../packing/programs.ts"
import { copyOf, type PackedRun, packCopy, type RunOptions, runReported } from "../support/packed-build.ts"
import { buildDirectory } from "../support/project.ts"
import { makeTemporaryDirectory, temporaryDirectory } from "../support/temporary-directory.ts"
import { newPartition } from "../support/volume-builder.ts"

const test = anyTest as TestFn<{ packed: string }>
const isRoot = process.geteuid?.() === 0
const nobody = 65_534

const packedFolder = makeTemporaryDirectory()

test.after.always(() => rmSync(packedFolder, { recursive: true }))

test.before((t) => {
  t.timeout(240_000)
  const { build, said } = packCopy(packedFolder)
  t.is(said, "")
  t.context.packed = build
})

/** A copy of one's own, and an empty partition. */
function scene(t: ExecutionContext<{ packed: string }>) {
  t.timeout(120_000)
  const folder = temporaryDirectory(t)
  chmodSync(folder, 0o755)
  const build = copyOf(t.context.packed, folder)
  const partition = newPartition(join(folder, "vicepa"), "development").path
  const salvage = (options?: RunOptions): PackedRun =>
    runReported(
      build,
      "cli/dafs.js",
      ["salvager", "--partition", partition, "--offline", "--state-dir", folder],
      options,
    )
  const file = (pattern: RegExp): string => {
    const name = readdirSync(join(build, "packed")).find((name) => pattern.test(name))
    return join(build, "packed", name ?? t.fail(`no ${pattern} was packed`) ?? "")
  }
  return {
    folder,
    build,
    partition,
    salvage,
    cache: file(/^dafs-salvager-.*\.cache$/),
    code: file(/^dafs-salvager-\w+\.js$/),
  }
}

const sound = "/vicepa: groups: none; findings: none\n"
const withCache = (run: PackedRun): boolean | undefined => run.code?.hadCache

test("what `using` is compiled to is in a packed file once", (t) => {
  const folder = join(t.context.packed, "packed")
  const codes = readdirSync(folder).filter((name) => /^dafs-salvager-\w+\.js$/.test(name))
  t.is(codes.length, 1)
  for (const name of codes)
    t.is(readFileSync(join(folder, name), "utf8").match(/__addDisposableResource\d* = /g)?.length, 1)
})

test("packed: commands run the code that was packed, with what V8 had compiled of it", (t) => {
  const { build, partition, salvage, folder } = scene(t)
  const own = salvage()
  t.is(own.stdout, sound, own.stderr)
  const place = ["--partition", partition, "--state-dir", folder]
  const others = [
    ["locks", "--partition", partition],
    ["volinfo", "--partition", partition],
    ["vos", "examine", "nothing", ...place, "--offline"],
    ["vos", "listvol", ...place, "--offline"],
    ["fssync", "query", "--volumeid", "5", "--state-dir", folder, "--timeout", "1"],
    ["salvage", "status", "--state-dir", folder],
    ["launch", "dasalvager", "-version"],
    ["launch", "dafileserver", "-version"],
    ["launch", "salvageserver", "-client"], // refused: it says not of what
    ["--help"],
  ]
  for (const words of [...others]) {
    const { code, status, stderr } = runReported(build, "packed/dafs.cjs", words)
    t.true(code?.hadCache === true && !code.isRejected, `${words.join(" ")}: status ${status}, ${stderr}`)
  }
  t.true(withCache(own) === true && own.code?.isRejected === false)
})

test("packed: a fileserver with the switches that it is started with has a cache made with them", (t) => {
  const { build } = scene(t)
  const words = ["fileserver", "--port", "65536"] // refused, once all is loaded
  for (const switches of [[], fileserverSwitches]) {
    const manifest = readFileSync(join(build, "packed", "dafs.cjs"), "utf8")
    t.true(switches.every((one) => manifest.includes(one)))
    const { code, status, stderr } = runReported(build, "packed/dafs.cjs", words, { switches })
    t.is(status, 2, stderr)
    t.true(code?.hadCache)
  }
})

test("packed: every program that is started by its module's address has a packed one", (t) => {
  const { build } = scene(t)
  for (const file of Object.values(starters)) t.true(existsSync(join(build, "packed", file)), file)
  const names = readdirSync(join(build, "packed")).filter((name) => name.endsWith(".js"))
  const texts = names.map((name) => readFileSync(join(build, "packed", name), "utf8"))
  for (const [, place = ""] of texts.flatMap((text) => [...text.matchAll(/join\(packedFolder, "([^"]+)"\)/g)]))
    t.true(existsSync(join(build, "packed", place)), place)
})

test("packed: without packed programs, or without their code, the modules run", (t) => {
  const { build, code, salvage } = scene(t)
  rmSync(code)
  const withoutCode = salvage()
  t.is(withoutCode.stdout, sound, withoutCode.stderr)
  t.is(withoutCode.code, undefined)
  rmSync(join(build, "packed"), { recursive: true })
  const run = salvage()
  t.is(run.stdout, sound, run.stderr)
  t.is(run.code, undefined)
})

test("packed: where programs cannot be run while they are packed, they are packed without caches, and it is told", (t) => {
  t.timeout(120_000)
  const folder = temporaryDirectory(t)
  const { build, said } = packCopy(folder, { DAFS_TMP: join(folder, "absent") })
  t.regex(said, /^packed without all code caches: ENOENT.*absent/)
  const run = runReported(build, "packed/dafs.cjs", ["locks", "--help"])
  t.is(run.status, 0, run.stderr)
  t.false(withCache(run))
})

// Who compiles without packing, to try a change, must not run what was packed before it.
test("packed: after another compilation the modules run, until they are packed again", (t) => {
  const { build, salvage } = scene(t)
  const written = ["cli/dafs.js", "tsconfig.tsbuildinfo"].map((name) => join(build, name)) // the second if it is incremental
  for (const path of written.filter((path) => existsSync(path))) {
    renameSync(path, `${path}.before`)
    writeFileSync(path, readFileSync(`${path}.before`))
    appendFileSync(path, "\n")
    const run = salvage()
    t.is(run.stdout, sound, run.stderr)
    t.is(run.code, undefined, path)
    renameSync(`${path}.before`, path)
    t.true(withCache(salvage()))
  }
})

test("packed: a cache that is spoilt in any way is not used, and the command runs all the same", (t) => {
  const { cache, salvage } = scene(t)
  const whole = readFileSync(cache)
  const spoilt: Readonly<Record<string, Buffer>> = {
    empty: Buffer.alloc(0),
    truncated: whole.subarray(0, whole.length >> 1),
    random: randomBytes(whole.length),
    "zeros in the middle": Buffer.concat([whole.subarray(0, 100_000), Buffer.alloc(4096), whole.subarray(104_096)]),
    "one bit": Buffer.from(whole.map((byte, at) => (at === whole.length - 5 ? byte ^ 1 : byte))),
  }
  for (const [how, bytes] of Object.entries(spoilt)) {
    writeFileSync(cache, bytes)
    const run = salvage()
    t.is(run.stdout, sound, `${how}: ${run.stderr}`)
    t.false(withCache(run), how)
  }
  rmSync(cache)
  t.is(salvage().stdout, sound)
  writeFileSync(cache, whole)
  t.true(withCache(salvage()))
})

// Another version of V8, or the same with other switches, cannot use it, and says so by itself.
test("packed: a cache made by another V8 is refused by this one, and the command runs all the same", (t) => {
  const { salvage } = scene(t)
  const run = salvage({ switches: ["--no-lazy-feedback-allocation"] })
  t.is(run.stdout, sound, run.stderr)
  t.true(run.code?.isRejected)
})

test("packed: a cache that others than its owner can write to is not used", (t) => {
  const { cache, salvage } = scene(t)
  for (const mode of [0o664, 0o646]) {
    chmodSync(cache, mode)
    const run = salvage()
    t.is(run.stdout, sound, run.stderr)
    t.false(withCache(run), mode.toString(8))
  }
  truncateSync(cache, statSync(cache).size)
  chmodSync(cache, 0o644)
  t.true(withCache(salvage()))
  if (!isRoot) return
  chownSync(cache, nobody, nobody)
  t.false(withCache(salvage()), "another's")
})

/** True if others can enter the folder. */
const isOpen = (path: string): boolean => (statSync(path).mode & 0o001) !== 0 && (path === "/" || isOpen(dirname(path)))

const asNobody = "packed: a user who cannot write to the folder runs the same code with the same cache"
const declareAsNobody = isRoot && isOpen(buildDirectory) ? test : test.skip
declareAsNobody(isRoot ? asNobody : `${asNobody} [skipped: needs root]`, (t) => {
  const { build, partition, folder, salvage } = scene(t)
  for (const name of readdirSync(partition, { recursive: true, encoding: "utf8" }))
    chownSync(join(partition, name), nobody, nobody)
  for (const path of [partition, folder]) chownSync(path, nobody, nobody)
  for (const name of readdirSync(build)) chmodSync(join(build, name), statSync(join(build, name)).mode & 0o555)
  const before = readdirSync(join(build, "packed"))
  const run = salvage({ user: nobody })
  t.is(run.stdout, sound, run.stderr)
  t.true(withCache(run))
  t.deepEqual(readdirSync(join(build, "packed")), before)
})

test("packed: stacks name sources and their lines", (t) => {
  const { build } = scene(t)
  const words = ["salvager", "--partition", "/nowhere"]
  const { status, stderr } = runReported(build, "packed/dafs.cjs", words, { environment: { DAFS_TRACE: "1" } })
  t.is(status, 10)
  t.regex(stderr, /^ {4}at openPartition \(.*\/common\/partition\/partition\.ts:\d+\)$/m)
  t.regex(stderr, /\/salvager\/cli\.ts:\d+\)$/m)
  t.notRegex(stderr, /packed/)
})
