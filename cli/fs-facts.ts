/** How `dafs fs` shows objects and volumes. */
import { fidText } from "../client/fid.ts"
import { codeName } from "../client/server-error.ts"
import type { ObjectStatus, VolumeStatus } from "../client/status.ts"
import { isMountPoint, type ListedEntry } from "../client/tree.ts"
import type { Column } from "../common/cli/output.ts"
import { rightsText } from "../common/vnode/access-list.ts"

const typeLetters = { file: "-", directory: "d", symlink: "l", unknown: "?" } as const

/** `drwxr-xr-x`; `m` for mount points. */
function modeText(status: ObjectStatus): string {
  const letter = isMountPoint(status) ? "m" : typeLetters[status.type]
  const bits = [..."rwxrwxrwx"].map((bit, index) => ((status.mode >> (8 - index)) & 1 ? bit : "-"))
  return letter + bits.join("")
}

/** `2026-01-31 12:00:00`, in UTC. */
const timeText = (seconds: number): string => new Date(seconds * 1000).toISOString().slice(0, 19).replace("T", " ")

export const listColumns: readonly Column<ListedEntry>[] = [
  { title: "MODE", value: ({ status }) => (status === undefined ? "?" : modeText(status)) },
  { title: "LINKS", value: ({ status }) => status?.linkCount, align: "right" },
  { title: "OWNER", value: ({ status }) => status?.owner, align: "right" },
  { title: "GROUP", value: ({ status }) => status?.group, align: "right" },
  { title: "LENGTH", value: ({ status, code }) => status?.length ?? codeName(code), align: "right" },
  { title: "MODIFIED (UTC)", value: ({ status }) => (status === undefined ? undefined : timeText(status.modifyTime)) },
  { title: "VERSION", value: ({ status }) => status?.dataVersion, align: "right" },
  { title: "FID", value: ({ fid }) => fidText(fid) },
  { title: "NAME", value: ({ name }) => name.toString() },
]

/** A status for programs: everything, and fid and rights as people write them. */
export function statusDocument(status: ObjectStatus): object {
  return {
    ...status,
    fid: fidText(status.fid),
    mode: `0${status.mode.toString(8)}`,
    isMountPoint: isMountPoint(status),
    callerAccess: rightsText(status.callerAccess),
    anonymousAccess: rightsText(status.anonymousAccess),
  }
}

export const entryDocument = ({ name, fid, status, code }: ListedEntry): object =>
  status === undefined
    ? { name: name.toString(), fid: fidText(fid), code: codeName(code) }
    : { name: name.toString(), ...statusDocument(status) }

const lockText = (count: number): string => {
  if (count === 0) return "none"
  return count < 0 ? "write" : `${count} read`
}

/** Lines of a heading and a value. */
function factLines(facts: Readonly<Record<string, string | number | boolean>>): string {
  const width = Math.max(...Object.keys(facts).map((name) => name.length))
  return Object.entries(facts)
    .map(([name, value]) => `${name.padEnd(width)}  ${value}\n`)
    .join("")
}

export function statusFacts(status: ObjectStatus): string {
  return factLines({
    fid: fidText(status.fid),
    type: isMountPoint(status) ? "mount point" : status.type,
    mode: `0${status.mode.toString(8)} ${modeText(status)}`,
    length: status.length,
    "data version": status.dataVersion,
    links: status.linkCount,
    owner: status.owner,
    group: status.group,
    author: status.author,
    parent: `${status.fid.Volume}.${status.parent.vnode}.${status.parent.unique}`,
    modified: `${timeText(status.modifyTime)} UTC`,
    "modified by server": `${timeText(status.serverModifyTime)} UTC`,
    "rights here": rightsText(status.callerAccess),
    "rights of anybody": rightsText(status.anonymousAccess),
    locks: lockText(status.lockCount),
  })
}

const kibibytes = (blocks: number): string => `${blocks} KiB`

export function volumeFacts(volume: VolumeStatus): string {
  const state = volume.isOnline && volume.isInService && volume.isBlessed ? "online" : "offline"
  return factLines({
    volume: volume.id,
    name: volume.name,
    type: volume.isReadWrite ? "read-write" : "read-only",
    "read-write volume": volume.parent,
    state: volume.needsSalvage ? `${state}, needs salvage` : state,
    ...(volume.offlineMessage === "" ? {} : { message: volume.offlineMessage }),
    quota: volume.quota === 0 ? "none" : kibibytes(volume.quota),
    used: kibibytes(volume.blocksUsed),
    "partition free": kibibytes(volume.partitionFree),
    "partition size": kibibytes(volume.partitionSize),
  })
}
