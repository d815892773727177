/**
 * Packs the programs of the build folder that this module lies in: `node build/packing/pack.js`, the second half of
 * `npm run build`. Everything appears in `packed/` beside the rooms; starters are put in place last, each by one rename, so that a
 * program that starts meanwhile finds the old ones, the new ones, or its modules.
 */
import { createHash } from "node:crypto"
import { mkdirSync, readdirSync, rmSync } from "node:fs"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { isStill, type Stamp, stampsOf } from "./build-stamp.ts"
import { bundle, leavingOut, packedName, yargsBeside, yargsFile } from "./bundling.ts"
import { recordedCode, recordedPart, recordTypicalRuns } from "./code-caches.ts"
import { writeDurably } from "./durable-file.ts"
import type { Manifest } from "./manifest.ts"
import { wrapper } from "./packed-code.ts"
import { dafsParts, type PackedPart, starters, threads } from "./programs.ts"
import type { RecordedPart, Recording } from "./recorder.ts"
import { sourceLinesOf } from "./source-lines.ts"
import { sourceLinesEnding } from "./source-names.ts"

const buildFolder = join(import.meta.dirname, "..")
const packedFolder = join(buildFolder, packedName)
const inBuild = (name: string): string => join(buildFolder, name)
const inPacked = (name: string): string => join(packedFolder, name)

const commandLine = "cli/command-line.js"
const groupWorker = "salvager/group-worker.js"

/** Writes code under a name that is nobody else's. */
async function packPart(name: string, entry: string, part: PackedPart): Promise<RecordedPart> {
  const { beginnings, modules, hasYargs, kinds } = part
  const plugins = modules === undefined ? [] : [leavingOut(inBuild(entry), modules.map(inBuild))]
  if (hasYargs !== true) plugins.push(yargsBeside)
  const wrapping = { banner: { js: wrapper.before }, footer: { js: wrapper.after } }
  const supported = { "dynamic-import": false } // by a script as it is compiled here; require stands in
  const { code, map } = await bundle(buildFolder, entry, { ...wrapping, supported, plugins })
  const hash = createHash("sha256").update(code).digest("hex").slice(0, 16)
  const file = `${[name, beginnings[0] ?? ""].filter((word) => word !== "").join("-")}-${hash}.js`
  writeDurably(inPacked(`${file}${sourceLinesEnding}`), JSON.stringify(sourceLinesOf(code, map)))
  writeDurably(inPacked(file), code)
  return recordedPart(file, kinds)
}

async function packDafs(): Promise<Recording> {
  const packed = dafsParts.map(async (part) => {
    const recorded = await packPart("dafs", commandLine, part)
    return part.beginnings.map((beginning) => [beginning, recorded] as const)
  })
  return Object.fromEntries((await Promise.all(packed)).flat())
}

async function packThread(module: (typeof threads)[number]): Promise<void> {
  writeDurably(inPacked(starters[module]), (await bundle(buildFolder, module)).code)
}

/** As the CommonJS module that it is to whoever imports it. */
async function packYargs(): Promise<void> {
  const banner = { js: "const packedFolder = __dirname" }
  const footer = { js: "module.exports = module.exports.default" }
  const { code } = await bundle(buildFolder, fileURLToPath(import.meta.resolve("yargs")), { banner, footer })
  writeDurably(inPacked(yargsFile), code)
}

/** A starter, or a recorder, that knows what `told` says. */
async function packStarter(file: string, module: string, told: Readonly<Record<string, object>>): Promise<void> {
  const define = Object.fromEntries(Object.entries(told).map(([name, value]) => [name, JSON.stringify(value)]))
  const { code } = await bundle(buildFolder, module, { banner: { js: "#!/usr/bin/env node" }, define })
  writeDurably(inPacked(file), code, 0o755)
}

/**
 * Runs the programs in typical ways, which leaves the code caches. Those of another Node.js, for the same code, make way. Where
 * they cannot run (there may be no network, or no room), what is packed is as good without, only slower: it is told.
 * @returns whether all ran
 */
async function record(dafs: Recording, worker: Recording): Promise<boolean> {
  for (const { caches } of [...Object.values(dafs), ...Object.values(worker)])
    for (const cache of Object.values(caches)) rmSync(inPacked(cache), { force: true })
  const recorders = { dafs: "dafs-recorder.cjs", groupWorker: "group-worker-recorder.cjs" } as const
  await packStarter(recorders.dafs, "packing/recorder.js", { recording: dafs })
  await packStarter(recorders.groupWorker, "packing/recorder.js", { recording: worker })
  try {
    await recordTypicalRuns({ dafs: inPacked(recorders.dafs), groupWorker: inPacked(recorders.groupWorker) })
    return true
  } catch (error) {
    process.stderr.write(`packed without all code caches: ${error instanceof Error ? error.message : String(error)}\n`)
    return false
  }
}

type Parts = Manifest["parts"]

const recordedParts = (recording: Recording, haveAllRun: boolean): Parts =>
  Object.fromEntries(
    Object.entries(recording).map(([beginning, part]) => [beginning, recordedCode(packedFolder, part, haveAllRun)]),
  )

async function putInPlace(file: string, module: string, parts: Parts, build: readonly Stamp[]): Promise<void> {
  const manifest: Manifest = { module: `../${module}`, build, parts }
  await packStarter(file, "packing/starter.js", { manifest })
}

/** What nothing needs any more. */
function removeOthers(...recordings: readonly Recording[]): void {
  const kept = recordings.flatMap((recording) => Object.values(recording)).map(({ file }) => file)
  const own: readonly string[] = [...Object.values(starters), yargsFile]
  for (const name of readdirSync(packedFolder))
    if (!own.includes(name) && !kept.some((file) => name.startsWith(file))) rmSync(inPacked(name))
}

async function pack(): Promise<void> {
  const build = stampsOf(buildFolder)
  mkdirSync(packedFolder, { recursive: true })
  await packYargs()
  for (const module of threads) await packThread(module)
  const dafs = await packDafs()
  const worker = { "": await packPart("group-worker", groupWorker, { beginnings: [""], kinds: [""] }) }
  const haveAllRun = await record(dafs, worker)
  if (!isStill(buildFolder, build))
    throw new Error(`${buildFolder} was compiled again while it was packed: pack it again`)
  await putInPlace(starters["cli/dafs.js"], commandLine, recordedParts(dafs, haveAllRun), build)
  await putInPlace(starters[groupWorker], groupWorker, recordedParts(worker, haveAllRun), build)
  removeOthers(dafs, worker)
}

await pack()
