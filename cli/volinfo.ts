/**
 * `dafs volinfo`: the volumes of a partition as they are on disk, like OpenAFS's volinfo. Takes no lock and asks nobody, so
 * a volume that a fileserver has attached is shown as it was last written.
 */
import type { Argv, CommandModule, InferredOptionTypes, Options } from "yargs"
import { runPlainWords } from "../common/cli/plain-words.ts"
import { AfsError } from "../common/error.ts"
import { type Inode, inodeText } from "../common/partition/inode-number.ts"
import { listHeaderNames, openPartition, type Partition } from "../common/partition/partition.ts"
import { programTypeName, volumeTypes } from "../common/protocol/codes.ts"
import { recordInode, recordLength, recordOffset, type VnodeClass } from "../common/vnode/vnode-record.ts"
import { openVolume, type Volume } from "../common/volume/volume.ts"
import { infoInode, largeIndexInode, linkTableInode, smallIndexInode } from "../common/volume/volume-header.ts"
import { destroyMeMark, dontSalvageMark } from "../common/volume/volume-info.ts"

const volinfoOptions = {
  partition: { type: "string", demandOption: true, describe: "the partition's directory" },
  volumeid: { type: "number", array: true, requiresArg: true, describe: "only these volumes" },
  vnode: { type: "boolean", default: false, describe: "list the vnodes" },
  inode: { type: "boolean", default: false, describe: "with their inode numbers" },
  filenames: { type: "boolean", default: false, describe: "with the names of their data files" },
  header: { type: "boolean", default: false, describe: "what the header file says" },
  sizeonly: { type: "boolean", default: false, describe: "only the sizes" },
  json: { type: "boolean", default: false, describe: "one JSON document" },
} as const satisfies Readonly<Record<string, Options>>
type VolinfoArguments = InferredOptionTypes<typeof volinfoOptions>

interface VnodeFacts {
  class: VnodeClass
  offset: number
  vnode: number
  uniquifier: number
  dataVersion: number
  type: number
  cloned: number
  mode: string
  linkCount: number
  length: number
  author: number
  owner: number
  group: number
  parent: number
  unixModifyTime: number
  serverModifyTime: number
  inode: string
  path: string
}

interface FileFacts {
  inode: string
  path: string
  sizeBytes: number
}

interface SizeFacts {
  /** KiB, as VolumeInfo says. */
  volume: number
  /** KiB of header and special files. */
  auxiliary: number
  /** KiB of the data files that the vnodes name. */
  inodes: number
  total: number
}

/** All that is on disk of one volume. */
function volumeFacts(volume: Volume, wanted: VolinfoArguments) {
  const { info, header } = volume
  const { magic, version, reserved1, reserved2, reserved3, reserved4, ...facts } = info
  return {
    id: header.id,
    name: info.name,
    type: typeName(info.type),
    stamp: { magic, version },
    reservedInUse: [reserved1, reserved2, reserved3, reserved4].some((bytes) => bytes.some((byte) => byte !== 0)),
    info: facts,
    header: { version: header.version, id: header.id, parent: header.parent },
    files: {
      info: fileFacts(volume, infoInode(header)),
      small: fileFacts(volume, smallIndexInode(header)),
      large: fileFacts(volume, largeIndexInode(header)),
      links: fileFacts(volume, linkTableInode(header)),
    },
    size: sizeFacts(volume),
    ...(wanted.vnode || wanted.inode || wanted.filenames ? { vnodes: [...vnodeFacts(volume)] } : {}),
  }
}
type VolumeFacts = ReturnType<typeof volumeFacts>

function typeName(type: number): string {
  for (const [name, number] of Object.entries(volumeTypes)) if (number === type) return name
  return String(type)
}

function fileFacts(volume: Volume, inode: Inode): FileFacts {
  return { inode: inodeText(inode), path: volume.store.path(inode), sizeBytes: volume.store.stat(inode)?.size ?? 0 }
}

function* vnodeFacts(volume: Volume): Generator<VnodeFacts> {
  for (const cls of ["large", "small"] as const) {
    for (const { vnode, record } of volume.index(cls).records()) {
      const inode = recordInode(record)
      yield {
        class: cls,
        offset: recordOffset(vnode),
        vnode,
        uniquifier: record.uniquifier,
        dataVersion: record.dataVersion,
        type: record.type,
        cloned: record.cloned,
        mode: record.mode.toString(8).padStart(4, "0"),
        linkCount: record.linkCount,
        length: recordLength(record),
        author: record.author,
        owner: record.owner,
        group: record.group,
        parent: record.parent,
        unixModifyTime: record.unixModifyTime,
        serverModifyTime: record.serverModifyTime,
        inode: inodeText(inode),
        path: volume.store.path(inode),
      }
    }
  }
}

function sizeFacts(volume: Volume): SizeFacts {
  const kilobytes = (bytes: number): number => Math.ceil(bytes / 1024)
  const auxiliary = kilobytes(volume.files().reduce((sum, file) => sum + file.stat().size, 0))
  let inodes = 0
  for (const cls of ["large", "small"] as const) {
    for (const { record } of volume.index(cls).records()) inodes += kilobytes(recordLength(record))
  }
  return { volume: volume.info.diskused, auxiliary, inodes, total: auxiliary + inodes }
}

function date(seconds: number): string {
  return seconds === 0 ? "never" : new Date(seconds * 1000).toISOString().replace("T", " ").slice(0, 19)
}

function printVolume(facts: VolumeFacts, wanted: VolinfoArguments): void {
  const { info } = facts
  const flag = (name: string, on: boolean): string => `${name} ${on ? "yes" : "no"}`
  const lines = [
    `volume ${facts.id} (${facts.name})`,
    `  type ${facts.type}, group ${info.parentId}, clone ${info.cloneId}, backup ${info.backupId}, restored from ${info.restoredFromId}`,
    `  in use by ${programTypeName(info.inUse)}, ${[
      flag("in service", info.inService !== 0),
      flag("blessed", info.blessed !== 0),
      flag("needs salvage", info.needsSalvaged !== 0),
      flag("known sound", info.dontSalvage === dontSalvageMark),
      flag("to be destroyed", info.destroyMe === destroyMeMark),
      flag("needs callback", info.needsCallback !== 0),
    ].join(", ")}`,
    `  uniquifier ${info.uniquifier}, update counter ${info.volUpdateCounter}`,
    `  quota ${info.maxquota} KiB, used ${info.diskused} KiB, ${info.filecount} vnodes, owner ${info.owner}, account ${info.accountNumber}`,
    `  created ${date(info.creationDate)}, copied ${date(info.copyDate)}, updated ${date(info.updateDate)}, accessed ${date(info.accessDate)}`,
    `  backup ${date(info.backupDate)}, expires ${date(info.expirationDate)}`,
    `  accesses today ${info.dayUse} (since ${date(info.dayUseDate)}), week ${info.weekUse.join(" ")}`,
  ]
  if (info.offlineMessage !== "") lines.push(`  offline message: ${info.offlineMessage}`)
  if (wanted.header) lines.push(...headerLines(facts))
  for (const vnode of facts.vnodes ?? []) lines.push(vnodeLine(vnode, wanted))
  process.stdout.write(`${lines.join("\n")}\n`)
}

function headerLines(facts: VolumeFacts): string[] {
  const files = Object.entries(facts.files).map(
    ([name, file]) => `    ${name.padEnd(5)} inode ${file.inode}, ${file.sizeBytes} bytes, ${file.path}`,
  )
  return [`  header: version ${facts.header.version}, id ${facts.header.id}, parent ${facts.header.parent}`, ...files]
}

function vnodeLine(vnode: VnodeFacts, wanted: VolinfoArguments): string {
  const id = `${vnode.vnode}.${vnode.uniquifier}.${vnode.dataVersion}`
  const kind = ["free", "file", "dir", "link"][vnode.type] ?? `type ${vnode.type}`
  const basic = `  ${String(vnode.offset).padStart(9)} vnode ${id} ${kind} ${vnode.mode} length ${vnode.length} links ${vnode.linkCount} parent ${vnode.parent} owner ${vnode.owner} cloned ${vnode.cloned} modified ${date(vnode.unixModifyTime)}`
  return `${basic}${wanted.inode ? ` inode ${vnode.inode}` : ""}${wanted.filenames ? ` ${vnode.path}` : ""}`
}

function printSizes(all: readonly VolumeFacts[]): void {
  const columns = [12, 10, 10, 10, 10]
  const row = (cells: readonly (string | number)[]): string =>
    cells.map((cell, index) => String(cell).padStart(columns[index] ?? 0)).join(" ")
  const lines = [`${row(["Volume-Id", "VolSize", "AuxSize", "InodeSize", "Total"])}  Name (KiB)`]
  for (const { id, name, size } of all) {
    lines.push(`${row([id, size.volume, size.auxiliary, size.inodes, size.total])}  ${name}`)
  }
  process.stdout.write(`${lines.join("\n")}\n`)
}

/** Facts of every wanted volume; a damaged one becomes an error and the others go on. */
function collect(partition: Partition, wanted: VolinfoArguments): { volumes: VolumeFacts[]; errors: Error[] } {
  const ids = wanted.volumeid ?? listHeaderNames(partition).map(({ volume }) => volume)
  const volumes: VolumeFacts[] = []
  const errors: Error[] = []
  for (const id of ids) {
    try {
      using volume = openVolume(partition, id, "read")
      volumes.push(volumeFacts(volume, wanted))
    } catch (error) {
      if (!(error instanceof Error)) throw error
      errors.push(error)
    }
  }
  return { volumes, errors }
}

function checkVolumes(ids: readonly number[] = []): void {
  if (ids.every((id) => Number.isInteger(id) && id >= 0 && id <= 0xffff_ffff)) return
  throw new AfsError("USAGE", "volinfo", {}, { detail: "--volumeid is a number from 0 to 4294967295" })
}

function run(wanted: VolinfoArguments): void {
  checkVolumes(wanted.volumeid)
  const partition = openPartition(wanted.partition)
  const { volumes, errors } = collect(partition, wanted)
  if (wanted.json) {
    const failed = errors.map((error) => error.message)
    process.stdout.write(`${JSON.stringify({ partition: partition.path, volumes, errors: failed })}\n`)
  } else if (wanted.sizeonly) printSizes(volumes)
  else for (const facts of volumes) printVolume(facts, wanted)
  const first = errors[0]
  if (first === undefined) return
  for (const error of errors.slice(1)) process.stderr.write(`dafs: ${error.message}\n`)
  throw first instanceof AfsError
    ? first
    : new AfsError("DAMAGED", "volinfo", { partition: partition.path }, { cause: first })
}

export const volinfoCommand: CommandModule<object, VolinfoArguments> = {
  command: "volinfo",
  describe: "Show the volumes of a partition as they are on disk",
  builder: (parser: Argv): Argv<VolinfoArguments> =>
    parser
      .options(volinfoOptions)
      .example("$0 volinfo --partition /vicepa --volumeid 536870918 --vnode", "one volume and its vnodes"),
  handler: run,
}

/** Runs what plain words say. @returns false if nothing was done: yargs has to read them */
export const runPlainly = (words: readonly string[]): Promise<boolean> => runPlainWords(volinfoOptions, words, run)
