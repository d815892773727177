/**
 * What a packed program is started by. It runs the packed code if that is of this build, and else the modules: whoever compiles
 * without packing never runs what is old.
 *
 * Code caches are made when the code is packed, and never later: what is run, perhaps as root, is what whoever built the programs
 * left, in files that nobody else may write to. V8 trusts them without looking, so they are looked at here.
 */
import { closeSync, fstatSync, openSync, readFileSync, statSync } from "node:fs"
import { join } from "node:path"
import { pathToFileURL } from "node:url"
import { crc32 } from "node:zlib"
import type { Manifest } from "./manifest.ts"
import { compile, run } from "./packed-code.ts"
import { runKinds } from "./run-kinds.ts"
import { nameSources } from "./source-names.ts"

/** Put in when the starter is packed. */
declare const manifest: Manifest

function isOfThisBuild(): boolean {
  return manifest.build.every(({ path, size, modified }) => {
    const found = statSync(join(__dirname, path), { throwIfNoEntry: false })
    return found?.size === size && found?.mtimeMs === modified
  })
}

/** A file that only its owner, who is the code's, can write to; undefined if there is none. */
function readOwn(file: string, owner: number): Buffer | undefined {
  const descriptor = openSync(join(__dirname, file), "r")
  try {
    const { uid, mode } = fstatSync(descriptor)
    return uid === owner && (mode & 0o022) === 0 ? readFileSync(descriptor) : undefined
  } finally {
    closeSync(descriptor)
  }
}

/** What V8 compiled before; without it, or with one that is spoilt, it compiles again. */
function readCache(owner: number): Buffer | undefined {
  const kind = runKinds(process.execArgv, process.argv.slice(2)).find((name) => Object.hasOwn(manifest.caches, name))
  const cache = manifest.caches[kind ?? ""]
  if (cache === undefined) return undefined
  try {
    const bytes = readOwn(cache.file, owner)
    return bytes !== undefined && crc32(bytes) === cache.crc32 ? bytes : undefined
  } catch {
    return undefined
  }
}

/** False if it has gone: a newer one is being packed. */
function runCode(): boolean {
  const path = join(__dirname, manifest.code)
  let source: string
  try {
    source = readFileSync(path, "latin1") // it is ASCII, which V8 takes as it is
  } catch {
    return false
  }
  const script = compile(path, source, readCache(statSync(path).uid))
  nameSources(path)
  process.argv[1] = __filename // for programs of its own kind that it starts
  run(script, path)
  return true
}

if (!isOfThisBuild() || !runCode()) void import(pathToFileURL(join(__dirname, manifest.module)).href)
