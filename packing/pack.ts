/**
 * Packs the programs of the build folder that this module lies in: `node build/packing/pack.js`, the second half of
 * `npm run build`. Everything appears in `packed/` beside the rooms; starters are put in place last, each by one rename, so that a
 * program that starts meanwhile finds the old ones, the new ones, or its modules.
 */
import { createHash } from "node:crypto"
import { mkdirSync, readdirSync, rmSync, statSync } from "node:fs"
import { SourceMap } from "node:module"
import { join } from "node:path"
import type { BuildOptions } from "esbuild"
import { bundle, type Programs } from "./bundling.ts"
import { type CodeCaches, foundCaches, recordedFiles, recordTypicalRuns } from "./code-caches.ts"
import { writeDurably } from "./durable-file.ts"
import type { Manifest, Stamp } from "./manifest.ts"
import { wrapper } from "./packed-code.ts"
import type { Recording } from "./recorder.ts"
import { packedLine, type SourceLines, sourceLinesEnding } from "./source-names.ts"

const buildFolder = join(import.meta.dirname, "..")
const packedFolder = join(buildFolder, "packed")
const inPacked = (name: string): string => join(packedFolder, name)

/** Programs by the modules that they are started by. */
const programs = {
  "cli/dafs.js": "dafs.cjs",
  "salvager/group-worker.js": "group-worker.cjs",
  "salvager/scan-thread.js": "scan-thread.cjs",
  "volserver/file-maker-thread.js": "file-maker-thread.cjs",
} as const satisfies Programs

/** So small that the start of a thread is no quicker with a code cache. */
const threads = ["salvager/scan-thread.js", "volserver/file-maker-thread.js"] as const

const inBuild = (module: string): BuildOptions => ({ entryPoints: [join(buildFolder, module)] })

/** Where each line of the code is from, out of its source map. */
function sourceLinesOf(code: string, map: string): SourceLines {
  const found = new SourceMap(JSON.parse(map))
  const sources = new Map<string, number>()
  const lines = code.split("\n").map((text, line) => {
    const entry = found.findEntry(line, text.length - text.trimStart().length)
    if (!("originalSource" in entry)) return 0
    const known = sources.get(entry.originalSource) ?? sources.size
    sources.set(entry.originalSource, known)
    return packedLine(known, entry.originalLine + 1)
  })
  return { sources: [...sources.keys()], lines }
}

/** Writes the code of a program, which is not there for anybody yet. @returns its file */
async function packCode(name: string, module: string): Promise<string> {
  const wrapping = { banner: { js: wrapper.before }, footer: { js: wrapper.after } }
  const { code, map } = await bundle(buildFolder, programs, { ...inBuild(module), ...wrapping })
  const file = `${name}-${createHash("sha256").update(code).digest("hex").slice(0, 16)}.js`
  writeDurably(inPacked(`${file}${sourceLinesEnding}`), JSON.stringify(sourceLinesOf(code, map)))
  writeDurably(inPacked(file), code)
  return file
}

async function packThread(module: (typeof threads)[number]): Promise<void> {
  const { code } = await bundle(buildFolder, programs, inBuild(module))
  writeDurably(inPacked(programs[module]), code)
}

/** A starter, or a recorder, that knows what `told` says. */
async function packStarter(file: string, source: string, told: Readonly<Record<string, object>>): Promise<void> {
  const define = Object.fromEntries(Object.entries(told).map(([name, value]) => [name, JSON.stringify(value)]))
  const banner = { js: "#!/usr/bin/env node" }
  const { code } = await bundle(buildFolder, programs, { ...inBuild(source), banner, define })
  writeDurably(inPacked(file), code, 0o755)
}

/** Files that every compilation, or every one that changes something, writes anew. */
const stamped = ["tsconfig.tsbuildinfo", "cli/dafs.js"]

function stampOf(path: string): Stamp {
  const found = statSync(join(buildFolder, path), { throwIfNoEntry: false })
  return { path: `../${path}`, ...(found !== undefined && { size: found.size, modified: found.mtimeMs }) }
}

async function packStarters(dafs: string, groupWorker: string, build: readonly Stamp[]): Promise<void> {
  const files = recordedFiles(dafs, groupWorker)
  const starter = (file: string, code: string, module: string, caches: CodeCaches): Promise<void> => {
    const manifest: Manifest = { code, module, build, caches }
    return packStarter(file, "packing/starter.js", { manifest })
  }
  const cachesOf = (recorded: Readonly<Record<string, string>>): CodeCaches => foundCaches(packedFolder, recorded)
  await starter(programs["cli/dafs.js"], dafs, "../cli/command-line.js", cachesOf(files.dafs))
  const worker = "salvager/group-worker.js"
  await starter(programs[worker], groupWorker, `../${worker}`, cachesOf(files.groupWorker))
}

/** Runs both programs in typical ways. Their code is still there if the same was packed before, and so may be their caches. */
async function record(dafs: string, groupWorker: string): Promise<void> {
  const files = recordedFiles(dafs, groupWorker)
  const recorders = { dafs: "dafs-recorder.cjs", groupWorker: "group-worker-recorder.cjs" } as const
  const told = (code: string, recorded: Recording["files"]): { recording: Recording } => ({
    recording: { code, files: recorded },
  })
  await packStarter(recorders.dafs, "packing/recorder.js", told(dafs, files.dafs))
  await packStarter(recorders.groupWorker, "packing/recorder.js", told(groupWorker, files.groupWorker))
  await recordTypicalRuns({ dafs: inPacked(recorders.dafs), groupWorker: inPacked(recorders.groupWorker) })
}

/** What nothing needs any more. */
function removeOthers(...codes: readonly string[]): void {
  const starters: readonly string[] = Object.values(programs)
  for (const name of readdirSync(packedFolder))
    if (!starters.includes(name) && !codes.some((code) => name.startsWith(code)))
      rmSync(inPacked(name), { recursive: true })
}

async function pack(): Promise<void> {
  const build = stamped.map(stampOf)
  mkdirSync(packedFolder, { recursive: true })
  for (const module of threads) await packThread(module)
  const dafs = await packCode("dafs", "cli/command-line.js")
  const groupWorker = await packCode("group-worker", "salvager/group-worker.js")
  await record(dafs, groupWorker)
  await packStarters(dafs, groupWorker, build)
  removeOthers(dafs, groupWorker)
}

await pack()
