/**
 * What a packed program is started by. It runs the packed code if that is of this build, and else the modules: whoever compiles
 * without packing never runs what is old.
 *
 * Code caches are made when the code is packed, and never later: what is run, perhaps as root, is what whoever built the programs
 * left, in files that nobody else may write to. V8 trusts them without looking, so they are looked at here.
 */
import { closeSync, fstatSync, openSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { pathToFileURL } from "node:url"
import { crc32 } from "node:zlib"
import { isStill } from "./build-stamp.ts"
import type { Manifest, PackedCode } from "./manifest.ts"
import { compile, run } from "./packed-code.ts"
import { partFor, runKinds } from "./run-kinds.ts"
import { nameSources } from "./source-names.ts"

/** Put in when the starter is packed. */
declare const manifest: Manifest

/** A file's bytes and owner; undefined if there is none, or if others than its owner may write to it. */
function readOwned(file: string, others: "trusted" | "barred"): { bytes: Buffer; owner: number } | undefined {
  try {
    const descriptor = openSync(join(__dirname, file), "r")
    try {
      const { uid, mode } = fstatSync(descriptor)
      const isOpen = (mode & 0o022) !== 0
      return isOpen && others === "barred" ? undefined : { bytes: readFileSync(descriptor), owner: uid }
    } finally {
      closeSync(descriptor)
    }
  } catch {
    return undefined
  }
}

/** What V8 compiled before; without it, or with one that is spoilt, it compiles again. */
function readCache({ caches }: PackedCode, owner: number): Buffer | undefined {
  const kind = runKinds(process.execArgv, process.argv.slice(2)).find((name) => Object.hasOwn(caches, name))
  const cache = caches[kind ?? ""]
  const found = cache === undefined ? undefined : readOwned(cache.file, "barred")
  return found?.owner === owner && crc32(found.bytes) === cache?.crc32 ? found.bytes : undefined
}

/** False if it has gone: a newer one is being packed. */
function runCode(): boolean {
  const part = partFor(manifest.parts, process.argv.slice(2))
  const code = part === undefined ? undefined : readOwned(part.file, "trusted")
  if (part === undefined || code === undefined) return false
  const path = join(__dirname, part.file)
  const script = compile(path, code.bytes.toString("latin1"), readCache(part, code.owner)) // ASCII, which V8 takes as it is
  nameSources(path)
  process.argv[1] = __filename // for programs of its own kind that it starts
  run(script, require, __dirname)
  return true
}

if (!isStill(join(__dirname, ".."), manifest.build) || !runCode())
  void import(pathToFileURL(join(__dirname, manifest.module)).href)
