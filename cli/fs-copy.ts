/** `dafs fs get` and `dafs fs put`: files between here and a fileserver, in constant memory. */
import { once } from "node:events"
import { createReadStream, type Stats, statSync } from "node:fs"
import { type FileHandle, open } from "node:fs/promises"
import { basename, join } from "node:path"
import type { Argv } from "yargs"
import { areZeros, fetchContents, type Pieces, storeContents, storeStream } from "../client/contents.ts"
import { isDirectoryFid, type Target } from "../client/fid.ts"
import type { Fileserver } from "../client/fileserver.ts"
import { createFile } from "../client/namespace.ts"
import type { ObjectStatus, StatusChange } from "../client/status.ts"
import { fetchStatus, findName, type NamedPlace, resolve, resolvePlace } from "../client/tree.ts"
import { openProgressBar } from "../common/cli/progress.ts"
import { AfsError } from "../common/error.ts"
import type { AFSFid } from "../common/protocol/afs-types.ts"
import { statusDocument } from "./fs-facts.ts"
import { type Common, done, type FsCommand, target, targetOf, usage } from "./fs-session.ts"

/** Standard input or output; yargs gives a word of one dash as an empty one. */
const isStandard = (path: string): boolean => path === "-" || path === ""
const readBytes = 256 << 10
/** What a file's blocks are counted in. */
const blockBytes = 512

type GetArguments = Common & { target: string; file: string | undefined }
type PutArguments = Common & { file: string; target: string; sync: boolean; mode: string | undefined }

function lastName({ names }: Target): string {
  const name = names.at(-1)
  if (name === undefined) throw usage("a fid has no name: name the file to write, or - for standard output")
  return Buffer.from(name).toString()
}

function isLocalDirectory(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() === true
}

/** Where a file that is got goes to. */
function localPath(file: string | undefined, wanted: Target): string {
  const path = file ?? lastName(wanted)
  return !isStandard(path) && isLocalDirectory(path) ? join(path, lastName(wanted)) : path
}

/** Takes bytes, all of them before it resolves. */
type Sink = (bytes: Uint8Array) => Promise<unknown>

/** Standard output may keep what it was given: it gets a copy. */
async function toStandardOutput(bytes: Uint8Array): Promise<void> {
  if (!process.stdout.write(Buffer.from(bytes))) await once(process.stdout, "drain")
}

async function fetchTo(server: Fileserver, fid: AFSFid, sink: Sink): Promise<ObjectStatus> {
  using bar = openProgressBar("get")
  let bytesDone = 0
  return await fetchContents(server, fid, {}, async (bytes, total) => {
    await sink(bytes)
    bytesDone += bytes.length
    bar?.report({ unit: "bytes", done: bytesDone, total })
  })
}

async function fetchToFile(server: Fileserver, fid: AFSFid, path: string): Promise<ObjectStatus> {
  await using file = await open(path, "w")
  if (!(await file.stat()).isFile()) return await fetchTo(server, fid, (bytes) => file.writeFile(bytes))
  let position = 0
  const status = await fetchTo(server, fid, async (bytes) => {
    // Zeros stay holes.
    if (!areZeros(bytes)) await writeAt(file, bytes, position)
    position += bytes.length
  })
  await file.truncate(position)
  return status
}

async function writeAt(file: FileHandle, bytes: Uint8Array, position: number): Promise<void> {
  for (let at = 0; at < bytes.length; )
    at += (await file.write(bytes, at, bytes.length - at, position + at)).bytesWritten
}

async function get(server: Fileserver, wanted: GetArguments): Promise<void> {
  const from = targetOf(wanted)
  const path = localPath(wanted.file, from)
  const fid = await resolve(server, from)
  if (isDirectoryFid(fid)) throw new AfsError("EISDIR", "get", { volume: fid.Volume, vnode: fid.Vnode })
  const status = isStandard(path) ? await fetchTo(server, fid, toStandardOutput) : await fetchToFile(server, fid, path)
  if (!isStandard(path)) done(wanted, { file: path, ...statusDocument(status) })
}

export const getCommand: FsCommand<GetArguments> = {
  command: "get <server> <target> [file]",
  describe: "Fetch a file (to its own name, or to standard output: -)",
  options: (parser: Argv<Common>) =>
    target(parser).positional("file", { type: "string", describe: "where to write it; - for standard output" }),
  work: get,
}

/** Where a file that is put goes to: in a directory it keeps its name. */
async function placeOf(server: Fileserver, wanted: Target, file: string): Promise<AFSFid | NamedPlace> {
  if (wanted.names.length === 0 && !isDirectoryFid(wanted.base)) return wanted.base
  const place = wanted.names.length === 0 ? undefined : await resolvePlace(server, wanted)
  const found = place === undefined ? wanted.base : await findName(server, place)
  if (found === undefined && place !== undefined) return place
  const fid = await resolve(server, wanted)
  if (!isDirectoryFid(fid)) return fid
  if (isStandard(file)) throw usage("standard input has no name: name the file in the directory")
  const inside = { directory: fid, name: Buffer.from(basename(file)) }
  return (await findName(server, inside)) ?? inside
}

/** The file to store into, made if it is not there. */
async function openTarget(server: Fileserver, wanted: Target, file: string, change: StatusChange): Promise<AFSFid> {
  const place = await placeOf(server, wanted, file)
  if ("Volume" in place) return place
  return (await createFile(server, place, change)).fid
}

function modeOf({ mode }: PutArguments, local: Stats | undefined): number {
  if (mode === undefined) return (local?.mode ?? 0o644) & 0o777
  return parseMode(mode)
}

/** Octal digits. @throws AfsError USAGE */
export function parseMode(text: string): number {
  if (/^[0-7]{1,5}$/.test(text) && Number.parseInt(text, 8) <= 0o7777) return Number.parseInt(text, 8)
  throw usage(`${JSON.stringify(text)}: a mode in octal digits is wanted`)
}

/** @throws AfsError ENOENT */
function localStat(path: string): Stats {
  const found = statSync(path, { throwIfNoEntry: false })
  if (found === undefined) throw new AfsError("ENOENT", "put", { path })
  return found
}

const hasHoles = (local: Stats | undefined): boolean =>
  local?.isFile() === true && local.blocks * blockBytes < local.size

async function put(server: Fileserver, wanted: PutArguments): Promise<void> {
  const { file } = wanted
  const local = isStandard(file) ? undefined : localStat(file)
  if (local?.isDirectory() === true) throw new AfsError("EISDIR", "put", { path: file })
  const fid = await openTarget(server, targetOf(wanted), file, { mode: modeOf(wanted, local) })
  using bar = openProgressBar("put")
  const total = local?.isFile() === true ? local.size : undefined
  const onProgress = (bytes: number): void => bar?.report({ unit: "bytes", done: bytes, total })
  const pieces: Pieces = isStandard(file) ? process.stdin : createReadStream(file, { highWaterMark: readBytes })
  const isSparse = hasHoles(local)
  const options = { fsync: wanted.sync, onProgress, isSparse }
  const status =
    total === undefined || isSparse
      ? await storeStream(server, fid, pieces, options)
      : await storeContents(server, fid, pieces, total, options)
  done(wanted, { file, ...statusDocument(wanted.mode === undefined ? status : await fetchStatus(server, fid)) })
}

export const putCommand: FsCommand<PutArguments> = {
  command: "put <server> <file> <target>",
  describe: "Store a file (or standard input: -) in place of what is there",
  options: (parser: Argv<Common>) =>
    target(
      parser.positional("file", { type: "string", demandOption: true, describe: "what to read; - for standard input" }),
    )
      .positional("file", { type: "string", demandOption: true, describe: "what to read; - for standard input" })
      .option("mode", { type: "string", describe: "mode of a new file in octal (default: the local file's)" })
      .option("sync", { type: "boolean", default: false, describe: "wait until the bytes are on the server's disk" }),
  work: put,
}
