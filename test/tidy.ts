/** What no linter of ours checks: who may import whom, the single doors to the system, and what was left behind. */
import { existsSync, readdirSync, readFileSync } from "node:fs"
import { dirname, join, normalize } from "node:path"
import test from "ava"
import { projectDirectory } from "./support/project.ts"

interface Source {
  /** Relative to the project, `common/lock/lock-file.ts`. */
  readonly path: string
  /** The top folder, `common`. */
  readonly room: string
  readonly text: string
  /** What it imports: files of ours as paths like `path`, everything else as it is written. */
  readonly imports: readonly string[]
}

const rooms = [
  "bench",
  "cli",
  "client",
  "common",
  "fileserver",
  "fssync",
  "packing",
  "salvager",
  "test",
  "volserver",
] as const
type Room = (typeof rooms)[number]

/** Whom a room may import beside itself. Daemons never import one another: they speak FSSYNC. */
const mayImport: Record<Room, readonly Room[]> = {
  common: [],
  client: ["common"],
  fssync: ["common"],
  fileserver: ["common", "fssync"],
  volserver: ["common", "fssync"],
  salvager: ["common", "fssync"],
  cli: ["client", "common", "fssync", "fileserver", "volserver", "salvager"],
  packing: ["cli", "common", "salvager"],
  bench: ["client", "common", "fssync", "fileserver", "volserver", "salvager", "cli", "test"],
  test: ["client", "common", "fssync", "fileserver", "volserver", "salvager", "cli", "packing", "bench"],
}

/** Modules with one door each: nobody else imports them. */
const doors: readonly { readonly module: RegExp; readonly open: (path: string) => boolean }[] = [
  {
    module: /^(node:)?fs(\/promises)?$/,
    open: (path) => path === "common/disk/node-disk.ts" || /^(cli|packing|test|bench)\//.test(path),
  },
  { module: /^esbuild$/, open: (path) => path.startsWith("packing/") },
  { module: /^fs-ext$/, open: (path) => path === "common/lock/record-lock.ts" },
  { module: /^(node:)?net$/, open: (path) => /^(fssync|test|bench)\//.test(path) },
  { module: /^(node:)?dgram$/, open: (path) => path === "common/rx/socket.ts" || /^(test|bench)\//.test(path) },
  { module: /^koffi/, open: (path) => path === "common/system/libc.ts" },
  { module: /^pino$/, open: (path) => path === "common/log.ts" },
  {
    module: /^yargs/,
    open: (path) => /^(common\/)?cli\//.test(path) || /(\/|-)cli\.ts$/.test(path),
  },
  { module: /^ava$/, open: (path) => path.startsWith("test/") },
]

const isOurs = (specifier: string): boolean => specifier.startsWith(".")

function importsOf(path: string, text: string): string[] {
  const code = text.replace(/^\s*(\/\/|\*|\/\*).*$/gm, "")
  const found = code.matchAll(
    /(?:^|\n)\s*(?:import|export)\s[^"']*?from\s*"([^"]+)"|import\(\s*"([^"]+)"|(?:^|\n)import\s*"([^"]+)"|createRequire\(import\.meta\.url\)\("([^"]+)"/g,
  )
  return [...found]
    .map((match) => match[1] ?? match[2] ?? match[3] ?? match[4] ?? "")
    .map((specifier) => (isOurs(specifier) ? normalize(join(dirname(path), specifier)) : specifier))
}

function readSources(): Source[] {
  return rooms.flatMap((room) =>
    readdirSync(join(projectDirectory, room), { recursive: true, encoding: "utf8" })
      .filter((name) => name.endsWith(".ts"))
      .map((name) => {
        const path = join(room, name)
        const text = readFileSync(join(projectDirectory, path), "utf8")
        return { path, room, text, imports: importsOf(path, text) }
      }),
  )
}

const sources = readSources()
const isRoom = (name: string | undefined): name is Room => rooms.some((room) => room === name)

test("tidy: the sources were found, with their imports", (t) => {
  t.true(sources.length > 50)
  t.true(sources.find(({ path }) => path === "test/tidy.ts")?.imports.includes("test/support/project.ts"))
  t.true(sources.find(({ path }) => path === "common/disk/node-disk.ts")?.imports.includes("node:fs"))
})

test("tidy: imports point in the direction of the architecture", (t) => {
  const wrong = sources.flatMap(({ path, room, imports }) =>
    imports
      .filter((name) => {
        const target = name.split("/")[0]
        if (!isRoom(target) || target === room) return false
        return !isRoom(room) || !mayImport[room].includes(target)
      })
      .map((name) => `${path} imports ${name}`),
  )
  t.deepEqual(wrong, [])
})

test("tidy: modules with a single door are imported there and nowhere else", (t) => {
  const wrong = sources.flatMap(({ path, imports }) =>
    imports
      .filter((name) => doors.some(({ module, open }) => module.test(name) && !open(path)))
      .map((name) => `${path} imports ${name}`),
  )
  t.deepEqual(wrong, [])
})

test("tidy: our own files are imported with their ending, and exist", (t) => {
  const wrong = sources.flatMap(({ path, imports }) =>
    imports
      .filter(
        (name) => isRoom(name.split("/")[0]) && !(name.endsWith(".ts") && existsSync(join(projectDirectory, name))),
      )
      .map((name) => `${path} imports ${name}`),
  )
  t.deepEqual(wrong, [])
})

/** Modules of common that another module's test proves, and which. */
const provedElsewhere: Readonly<Record<string, string>> = {
  "common/codec/xdr-bytes.ts": "test/common/codec/xdr.ts",
  "common/codec/xdr-code.ts": "test/common/codec/xdr.ts",
  "common/codec/xdr-composite.ts": "test/common/codec/xdr.ts",
  "common/codec/xdr-type.ts": "test/common/codec/xdr.ts",
  "common/disk/disk.ts": "test/common/disk/node-disk.ts",
  "common/dump/dump-parser.ts": "test/common/dump/dump-reader.ts",
}

/** A module of types and constants alone does nothing that a test could see. */
const hasCode = ({ text }: Source): boolean =>
  /^(export )?((async )?function|class)\b|^(export )?const \w+.* = (async )?\(.*=>|=> \{$/m.test(text)

test("tidy: every module of common has a test of its name", (t) => {
  const paths = new Set(sources.map(({ path }) => path))
  const untested = sources
    .filter((source) => source.room === "common" && hasCode(source))
    .map(({ path }) => path)
    .filter((path) => !paths.has(provedElsewhere[path] ?? `test/${path}`))
  t.deepEqual(untested.sort(), [])
})

test("tidy: every test file of a module stands for one that exists", (t) => {
  const paths = new Set(sources.map(({ path }) => path))
  const astray = [...paths]
    .filter((path) => /^test\/common\//.test(path) && !path.endsWith(".program.ts"))
    .filter((path) => !paths.has(path.replace(/^test\//, "")))
  t.deepEqual(astray.sort(), [])
})

const leftovers: readonly { readonly what: RegExp; readonly where: RegExp }[] = [
  { what: /\bconsole\.\w+\(/, where: /^(client|common|fssync|fileserver|volserver|salvager)\// },
  { what: /^\s*debugger\b/m, where: /./ },
  { what: /\b(test|serial)\.only\(/, where: /^test\// },
  { what: /\b(TODO|FIXME|XXX|HACK)\b/, where: /./ },
  { what: /@ts-(ignore|nocheck|expect-error)/, where: /./ },
  { what: /^export default\b/m, where: /./ },
]

test("tidy: no debugging, no unfinished business and no default export was left", (t) => {
  const wrong = sources
    .filter(({ path }) => path !== "test/tidy.ts")
    .flatMap(({ path, text }) =>
      leftovers
        .filter(({ what, where }) => where.test(path) && what.test(text))
        .map(({ what }) => `${path}: ${what.exec(text)?.[0].trim()}`),
    )
  t.deepEqual(wrong, [])
})

test("tidy: files are named in kebab-case", (t) => {
  const wrong = sources
    .map(({ path }) => path)
    .filter((path) => !/^([a-z0-9-]+\/)+[a-z0-9-]+(\.program)?\.ts$/.test(path))
  t.deepEqual(wrong, [])
})

test("tidy: every source file begins with what it is for", (t) => {
  const silent = sources
    .filter(({ room }) => room !== "test" && room !== "bench")
    .filter(({ text }) => !/^(#!.*\n)?\/\*\*\s/.test(text))
    .map(({ path }) => path)
  t.deepEqual(silent, [])
})
