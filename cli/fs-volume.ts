/** Commands of `dafs fs` on access lists, volumes and locks. */
import type { Argv } from "yargs"
import {
  extendLock,
  fetchAccessList,
  fetchVolumeStatus,
  releaseLock,
  setLock,
  setQuota,
  storeAccessList,
  withRights,
} from "../client/administration.ts"
import { fidText } from "../client/fid.ts"
import type { Fileserver } from "../client/fileserver.ts"
import { fetchStatus, resolve } from "../client/tree.ts"
import { printJson, printTable } from "../common/cli/output.ts"
import { parseRights, rightsText } from "../common/vnode/access-list.ts"
import type { NamedAccessList } from "../common/vnode/access-list-text.ts"
import { volumeFacts } from "./fs-facts.ts"
import { type Common, done, type FsCommand, target, targetOf, usage } from "./fs-session.ts"

type OnTarget = Common & { target: string }

/** Words for rights, as `fs setacl` has them. */
const rightWords: Readonly<Record<string, string>> = { read: "rl", write: "rlidwk", all: "rlidwka", none: "" }

/** @throws AfsError USAGE */
function rightsFrom(word: string): number {
  const letters = rightWords[word] ?? word
  if (/^[rlidwkaA-H]*$/.test(letters)) return parseRights(letters)
  throw usage(`${JSON.stringify(word)} are no rights: letters of rlidwka and A to H, or read, write, all, none`)
}

interface Row {
  readonly part: "positive" | "negative"
  readonly name: string
  readonly rights: string
}

function rowsOf(list: NamedAccessList): Row[] {
  return (["positive", "negative"] as const).flatMap((part) =>
    list[part].map(({ name, rights }) => ({ part, name, rights: rightsText(rights) })),
  )
}

function printList(wanted: Common, list: NamedAccessList): void {
  const rows = rowsOf(list)
  if (wanted.json) return printJson(rows)
  printTable(rows, [
    { title: "NAME", value: ({ name }) => name },
    { title: "RIGHTS", value: ({ rights }) => rights },
    { title: "", value: ({ part }) => (part === "negative" ? "taken away" : undefined) },
  ])
}

export const aclGetCommand: FsCommand<OnTarget> = {
  command: ["get <server> <target>", "$0"],
  describe: "Show a directory's access list",
  options: target,
  work: async (server, wanted) =>
    printList(wanted, await fetchAccessList(server, await resolve(server, targetOf(wanted)))),
}

type AclArguments = OnTarget & { entries: string[]; negative: boolean; clear: boolean }

function changedList(list: NamedAccessList, { entries, negative, clear }: AclArguments): NamedAccessList {
  if (entries.length % 2 !== 0) throw usage("names and rights come in pairs: anna rlidwk system:anyuser rl")
  let changed: NamedAccessList = clear ? { positive: [], negative: [] } : list
  for (let at = 0; at < entries.length; at += 2)
    changed = withRights(changed, entries[at] ?? "", rightsFrom(entries[at + 1] ?? ""), negative)
  return changed
}

async function setAccessList(server: Fileserver, wanted: AclArguments): Promise<void> {
  const fid = await resolve(server, targetOf(wanted))
  await storeAccessList(server, fid, changedList(await fetchAccessList(server, fid), wanted))
  if (wanted.json) printList(wanted, await fetchAccessList(server, fid))
}

export const aclSetCommand: FsCommand<AclArguments> = {
  command: "set <server> <target> <entries..>",
  describe: "Change entries of a directory's access list",
  options: (parser: Argv<Common>) =>
    target(parser)
      .positional("entries", {
        type: "string",
        array: true,
        demandOption: true,
        describe: "name and rights by turns: letters of rlidwka and A to H, or read, write, all, none",
      })
      .option("negative", { type: "boolean", default: false, describe: "rights that are taken away" })
      .option("clear", { type: "boolean", default: false, describe: "remove all other entries" }),
  work: setAccessList,
}

type OnVolume = Common & { volume: number }

const volume = (parser: Argv<Common>): Argv<OnVolume> =>
  parser.positional("volume", { type: "number", demandOption: true, describe: "the volume's number" })

function volumeOf({ volume: id }: OnVolume): number {
  if (Number.isInteger(id) && id > 0 && id < 2 ** 32) return id
  throw usage("the number of a volume is wanted")
}

export const volumeCommand: FsCommand<OnVolume> = {
  command: "volume <server> <volume>",
  describe: "Show a volume: state, quota, blocks",
  options: volume,
  work: async (server, wanted) => {
    const status = await fetchVolumeStatus(server, volumeOf(wanted))
    if (wanted.json) printJson(status)
    else process.stdout.write(volumeFacts(status))
  },
}

export const quotaGetCommand: FsCommand<OnVolume> = {
  command: ["get <server> <volume>", "$0"],
  describe: "Show a volume's quota and what it uses",
  options: volume,
  work: async (server, wanted) => {
    const { id, name, quota, blocksUsed } = await fetchVolumeStatus(server, volumeOf(wanted))
    if (wanted.json) return printJson({ volume: id, name, quota, used: blocksUsed })
    const share = quota === 0 ? "no quota" : `${quota} KiB (${Math.round((100 * blocksUsed) / quota)} %)`
    process.stdout.write(`${name}: ${blocksUsed} KiB of ${share}\n`)
  },
}

type QuotaArguments = OnVolume & { kib: number }

export const quotaSetCommand: FsCommand<QuotaArguments> = {
  command: "set <server> <volume> <kib>",
  describe: "Set a volume's quota (administrators)",
  options: (parser: Argv<Common>) =>
    volume(parser).positional("kib", { type: "number", demandOption: true, describe: "in KiB; 0 for none" }),
  work: async (server, wanted) => {
    const { kib } = wanted
    if (!Number.isInteger(kib) || kib < 0 || kib >= 2 ** 31) throw usage("a quota from 0 to 2147483647 KiB is wanted")
    await setQuota(server, volumeOf(wanted), kib)
    done(wanted, { volume: wanted.volume, quota: kib })
  },
}

type LockArguments = OnTarget & { write: boolean; extend: boolean }

async function lock(server: Fileserver, wanted: LockArguments): Promise<void> {
  const fid = await resolve(server, targetOf(wanted))
  if (wanted.extend) await extendLock(server, fid)
  else await setLock(server, fid, wanted.write ? "write" : "read")
  done(wanted, { fid: fidText(fid), lockCount: (await fetchStatus(server, fid)).lockCount })
}

export const lockCommand: FsCommand<LockArguments> = {
  command: "lock <server> <target>",
  describe: "Lock a file for reading, for five minutes",
  options: (parser: Argv<Common>) =>
    target(parser)
      .option("write", { type: "boolean", default: false, describe: "for writing: alone" })
      .option("extend", {
        type: "boolean",
        default: false,
        describe: "another five minutes for the lock that is there",
      }),
  work: lock,
}

export const unlockCommand: FsCommand<OnTarget> = {
  command: "unlock <server> <target>",
  describe: "Release a lock, whoever set it",
  options: target,
  work: async (server, wanted) => {
    const fid = await resolve(server, targetOf(wanted))
    await releaseLock(server, fid)
    done(wanted, { fid: fidText(fid), lockCount: (await fetchStatus(server, fid)).lockCount })
  },
}
