/** Commands of `dafs fs` on names and statuses: ls, stat, mkdir, rm, mv, ln, chmod … */
import type { Argv } from "yargs"
import { fidText, isDirectoryFid, parseTarget, type Target } from "../client/fid.ts"
import type { Fileserver } from "../client/fileserver.ts"
import {
  changeStatus,
  makeDirectories,
  makeDirectory,
  makeLink,
  makeMountPoint,
  makeSymlink,
  removeDirectory,
  removeFile,
  removeTree,
  rename,
} from "../client/namespace.ts"
import type { ObjectStatus } from "../client/status.ts"
import {
  fetchStatus,
  type ListedEntry,
  listDirectory,
  lookUp,
  type NamedPlace,
  readLink,
  resolve,
  resolvePlace,
} from "../client/tree.ts"
import { printable, printJson, printTable } from "../common/cli/output.ts"
import { openProgressBar } from "../common/cli/progress.ts"
import { AfsError, isAfsError } from "../common/error.ts"
import type { AFSFid } from "../common/protocol/afs-types.ts"
import { parseMode } from "./fs-copy.ts"
import { entryDocument, listColumns, statusDocument, statusFacts } from "./fs-facts.ts"
import { type Common, done, type FsCommand, target, targetOf, usage } from "./fs-session.ts"

type OnTarget = Common & { target: string }

async function list(server: Fileserver, wanted: OnTarget): Promise<void> {
  const fid = await resolve(server, targetOf(wanted))
  const entries = isDirectoryFid(fid) ? await listDirectory(server, fid) : [await itself(server, wanted)]
  if (wanted.json) printJson(entries.map(entryDocument))
  else printTable(entries, listColumns)
}

async function itself(server: Fileserver, wanted: OnTarget): Promise<ListedEntry> {
  const { names, base } = targetOf(wanted)
  const status = await fetchStatus(server, await resolve(server, { base, names }))
  return { name: Buffer.from(names.at(-1) ?? fidText(base)), fid: status.fid, status, code: 0 }
}

export const listCommand: FsCommand<OnTarget> = {
  command: "ls <server> <target>",
  describe: "List a directory",
  options: target,
  work: list,
}

type StatArguments = OnTarget & { follow: boolean }

async function stat(server: Fileserver, wanted: StatArguments): Promise<void> {
  const status = await fetchStatus(server, await resolve(server, targetOf(wanted), wanted.follow))
  const contents = status.type === "symlink" ? (await readLink(server, status.fid)).toString() : undefined
  if (wanted.json) return printJson({ ...statusDocument(status), ...(contents === undefined ? {} : { contents }) })
  process.stdout.write(statusFacts(status))
  if (contents !== undefined) process.stdout.write(`leads to: ${printable(contents)}\n`)
}

export const statCommand: FsCommand<StatArguments> = {
  command: "stat <server> <target>",
  describe: "Show all that the server says of an object",
  options: (parser: Argv<Common>) =>
    target(parser).option("follow", { type: "boolean", default: false, describe: "follow a symbolic link at the end" }),
  work: stat,
}

type MakeArguments = OnTarget & { parents: boolean; mode: string }

async function mkdir(server: Fileserver, wanted: MakeArguments): Promise<void> {
  const fields = { mode: parseMode(wanted.mode) }
  const where = targetOf(wanted)
  const fid = wanted.parents
    ? await makeDirectories(server, where, fields)
    : (await makeDirectory(server, await resolvePlace(server, where), fields)).fid
  done(wanted, { fid: fidText(fid) })
}

export const mkdirCommand: FsCommand<MakeArguments> = {
  command: "mkdir <server> <target>",
  describe: "Make a directory",
  options: (parser: Argv<Common>) =>
    target(parser)
      .option("parents", {
        type: "boolean",
        alias: "p",
        default: false,
        describe: "and those above it; no error if there",
      })
      .option("mode", { type: "string", default: "755", describe: "its mode in octal" }),
  work: mkdir,
}

type RemoveArguments = OnTarget & { recursive: boolean }

async function remove(server: Fileserver, wanted: RemoveArguments): Promise<void> {
  const place = await resolvePlace(server, targetOf(wanted))
  if (!wanted.recursive) {
    await removeFile(server, place)
    return done(wanted, { removed: 1 })
  }
  using bar = openProgressBar("rm")
  const removed = await removeTree(server, place, await lookUp(server, place), (count) =>
    bar?.report({ unit: "objects", done: count, total: undefined }),
  )
  done(wanted, { removed })
}

export const removeCommand: FsCommand<RemoveArguments> = {
  command: "rm <server> <target>",
  describe: "Remove a file, symbolic link or mount point",
  options: (parser: Argv<Common>) =>
    target(parser).option("recursive", { type: "boolean", alias: "r", default: false, describe: "and all below it" }),
  work: remove,
}

export const rmdirCommand: FsCommand<OnTarget> = {
  command: "rmdir <server> <target>",
  describe: "Remove an empty directory",
  options: target,
  work: async (server, wanted) => {
    await removeDirectory(server, await resolvePlace(server, targetOf(wanted)))
    done(wanted, { removed: 1 })
  },
}

type TwoNames = OnTarget & { to: string }

const twoNames = (parser: Argv<Common>): Argv<TwoNames> =>
  target(parser).positional("to", {
    type: "string",
    demandOption: true,
    describe: "the new name, written like the first",
  })

/** The directory that a path leads to, also by symbolic links; undefined if there is none, or something else. */
async function directoryAt(server: Fileserver, wanted: Target): Promise<AFSFid | undefined> {
  try {
    const fid = await resolve(server, wanted)
    return isDirectoryFid(fid) ? fid : undefined
  } catch (error) {
    if (isAfsError(error, "ENOENT", "EXDEV")) return undefined
    throw error
  }
}

/** A place for the name: in a directory that is there it keeps its own. */
async function newPlace(server: Fileserver, text: string, name: Uint8Array): Promise<NamedPlace> {
  const wanted = parseTarget(text)
  const directory = await directoryAt(server, wanted)
  return directory === undefined ? await resolvePlace(server, wanted) : { directory, name }
}

/** Calls on two volumes are refused by servers; say it before something else is wrong. */
function requireOneVolume(one: NamedPlace, other: NamedPlace): void {
  const [volume, second] = [one.directory.Volume, other.directory.Volume]
  if (volume !== second) throw new AfsError("EXDEV", "fs", { volume }, { detail: `the other is in volume ${second}` })
}

async function move(server: Fileserver, wanted: TwoNames): Promise<void> {
  const from = await resolvePlace(server, targetOf(wanted))
  const to = await newPlace(server, wanted.to, from.name)
  requireOneVolume(from, to)
  await rename(server, from, to)
  done(wanted, { directory: fidText(to.directory), name: Buffer.from(to.name).toString() })
}

export const moveCommand: FsCommand<TwoNames> = {
  command: "mv <server> <target> <to>",
  describe: "Move or rename within a volume",
  options: twoNames,
  work: move,
}

async function link(server: Fileserver, wanted: TwoNames): Promise<void> {
  const from = await resolvePlace(server, targetOf(wanted))
  const to = await newPlace(server, wanted.to, from.name)
  requireOneVolume(from, to)
  const { fid, linkCount } = await makeLink(server, to, await lookUp(server, from))
  done(wanted, { fid: fidText(fid), linkCount })
}

export const linkCommand: FsCommand<TwoNames> = {
  command: "ln <server> <target> <to>",
  describe: "Give a file a further name in its directory",
  options: twoNames,
  work: link,
}

type SymlinkArguments = OnTarget & { contents: string }

export const symlinkCommand: FsCommand<SymlinkArguments> = {
  command: "symlink <server> <contents> <target>",
  describe: "Make a symbolic link",
  options: (parser: Argv<Common>) =>
    target(parser).positional("contents", { type: "string", demandOption: true, describe: "where it leads" }),
  work: async (server, wanted) => {
    const place = await resolvePlace(server, targetOf(wanted))
    done(wanted, { fid: fidText((await makeSymlink(server, place, Buffer.from(wanted.contents))).fid) })
  },
}

type MountArguments = OnTarget & { volume: string; rw: boolean }

export const mountCommand: FsCommand<MountArguments> = {
  command: "mkmount <server> <target> <volume>",
  describe: "Make a mount point",
  options: (parser: Argv<Common>) =>
    target(parser)
      .positional("volume", { type: "string", demandOption: true, describe: "name (cell:name for another cell) or id" })
      .option("rw", {
        type: "boolean",
        default: false,
        describe: "of the read-write volume, even if there are replicas",
      }),
  work: async (server, wanted) => {
    const place = await resolvePlace(server, targetOf(wanted))
    done(wanted, { fid: fidText((await makeMountPoint(server, place, wanted.volume, wanted.rw)).fid) })
  },
}

async function changed(
  server: Fileserver,
  wanted: OnTarget,
  change: Parameters<typeof changeStatus>[2],
): Promise<void> {
  const status: ObjectStatus = await changeStatus(server, await resolve(server, targetOf(wanted)), change)
  done(wanted, statusDocument(status))
}

type ModeArguments = OnTarget & { mode: string }

export const chmodCommand: FsCommand<ModeArguments> = {
  command: "chmod <server> <mode> <target>",
  describe: "Change the mode bits",
  options: (parser: Argv<Common>) =>
    target(parser).positional("mode", { type: "string", demandOption: true, describe: "in octal" }),
  work: (server, wanted) => changed(server, wanted, { mode: parseMode(wanted.mode) }),
}

type OwnerArguments = OnTarget & { owner: string }

export const chownCommand: FsCommand<OwnerArguments> = {
  command: "chown <server> <owner> <target>",
  describe: "Change owner and group (administrators)",
  options: (parser: Argv<Common>) =>
    target(parser).positional("owner", { type: "string", demandOption: true, describe: "id, id:group or :group" }),
  work(server, wanted) {
    const [, owner, group] = /^(\d{1,10})?(?::(\d{1,10}))?$/.exec(String(wanted.owner)) ?? []
    if (owner === undefined && group === undefined) throw usage(`${wanted.owner}: wanted id, id:group or :group`)
    const number = (text: string | undefined): number | undefined => (text === undefined ? undefined : Number(text))
    return changed(server, wanted, { owner: number(owner), group: number(group) })
  },
}

type TouchArguments = OnTarget & { time: string | undefined }

export const touchCommand: FsCommand<TouchArguments> = {
  command: "touch <server> <target>",
  describe: "Set the time of the last change",
  options: (parser: Argv<Common>) =>
    target(parser).option("time", { type: "string", describe: "a date, or seconds since 1970 (default: now)" }),
  work: (server, wanted) => changed(server, wanted, { modifyTime: secondsFrom(wanted.time) }),
}

function secondsFrom(text: string | undefined): number {
  if (text === undefined) return Math.floor(Date.now() / 1000)
  const seconds = /^\d+$/.test(text) ? Number(text) : Math.floor(Date.parse(text) / 1000)
  if (Number.isInteger(seconds) && seconds >= 0 && seconds < 2 ** 32) return seconds
  throw usage(`${text}: a date, or seconds since 1970`)
}
