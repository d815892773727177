/**
 * The suite reads what OpenAFS wrote exactly as OpenAFS's own tools and client do: volume fields, vnodes, directory
 * entries, access lists, contents.
 */
import { createHash } from "node:crypto"
import test, { type ExecutionContext } from "ava"
import { Directory } from "../../common/directory/directory.ts"
import type { DiskFile } from "../../common/disk/disk.ts"
import { inodeText } from "../../common/partition/inode-number.ts"
import { listHeaderNames, openPartition, type Partition } from "../../common/partition/partition.ts"
import { decodeAccessList } from "../../common/vnode/access-list.ts"
import type { VnodeSlot } from "../../common/vnode/vnode-index.ts"
import { recordInode, recordLength, type VnodeRecord, vnodeTypes } from "../../common/vnode/vnode-record.ts"
import { openVolume, type Volume } from "../../common/volume/volume.ts"
import type { VolumeInfo } from "../../common/volume/volume-info.ts"
import {
  type CleanFixture,
  cleanFixtures,
  type FixtureEncoding,
  fixtureManifest,
  type ManifestVnode,
  type ManifestVolume,
  possibleEncoding,
  unpackFixture,
} from "../support/fixture.ts"
import { needsRoot } from "../support/requirements.ts"
import { temporaryDirectory } from "../support/temporary-directory.ts"

const typeNumbers: Record<ManifestVolume["type"], number> = { RW: 0, RO: 1, BK: 2 }
const vnodeKinds: Record<ManifestVnode["type"], number> = {
  file: vnodeTypes.file,
  dir: vnodeTypes.directory,
  symlink: vnodeTypes.symlink,
}

const base64 = (bytes: Uint8Array): string => Buffer.from(bytes).toString("base64")

/** The manifest's name of a field, where VolumeInfo has another. */
const infoFields = {
  id: "id",
  name: "name",
  parentId: "parentId",
  cloneId: "cloneId",
  backupId: "backupId",
  restoredFromId: "restoredFromId",
  maxQuota: "maxquota",
  minQuota: "minquota",
  maxFiles: "maxfiles",
  diskUsed: "diskused",
  fileCount: "filecount",
  creationDate: "creationDate",
  copyDate: "copyDate",
  backupDate: "backupDate",
  accessDate: "accessDate",
  updateDate: "updateDate",
  expirationDate: "expirationDate",
  dayUseDate: "dayUseDate",
  dayUse: "dayUse",
  owner: "owner",
  accountNumber: "accountNumber",
  uniquifier: "uniquifier",
  volUpdateCounter: "volUpdateCounter",
  inUse: "inUse",
  inService: "inService",
  blessed: "blessed",
  needsSalvaged: "needsSalvaged",
  destroyMe: "destroyMe",
  dontSalvage: "dontSalvage",
} as const satisfies Record<Exclude<keyof ManifestVolume, "type" | "vnodes" | "paths">, keyof VolumeInfo>

function sameVolumeInfo(t: ExecutionContext, volume: Volume, wanted: ManifestVolume): void {
  const { info, header } = volume
  const fields = Object.entries(infoFields) as [keyof typeof infoFields, keyof VolumeInfo][]
  t.deepEqual(
    Object.fromEntries(fields.map(([name, field]) => [name, info[field]])),
    Object.fromEntries(fields.map(([name]) => [name, wanted[name]])),
  )
  t.is(info.type, typeNumbers[wanted.type])
  t.deepEqual([header.id, header.parent], [wanted.id, wanted.parentId])
}

function factsOf(vnode: number, record: VnodeRecord): object {
  const inode = recordInode(record)
  return {
    vnode,
    unique: record.uniquifier,
    type: record.type,
    length: recordLength(record),
    dataVersion: record.dataVersion,
    mode: record.mode,
    linkCount: record.linkCount,
    owner: record.owner,
    group: record.group,
    author: record.author,
    parent: record.parent,
    modTime: record.unixModifyTime,
    serverModTime: record.serverModifyTime,
    cloned: record.cloned,
    inode: (BigInt(inode.high) << 32n) | BigInt(inode.low),
  }
}

function wantedFacts(vnode: ManifestVnode): object {
  return {
    vnode: vnode.vnode,
    unique: vnode.unique,
    type: vnodeKinds[vnode.type],
    length: vnode.length,
    dataVersion: vnode.dataVersion,
    mode: Number.parseInt(vnode.mode, 8),
    linkCount: vnode.linkCount,
    owner: vnode.owner,
    group: vnode.group,
    author: vnode.author,
    parent: vnode.parent,
    modTime: vnode.modTime,
    serverModTime: vnode.serverModTime,
    cloned: vnode.cloned ? 1 : 0,
    inode: BigInt(vnode.inode),
  }
}

function hashOf(file: DiskFile, length: number): string {
  const hash = createHash("sha256")
  const piece = new Uint8Array(1 << 20)
  for (let at = 0; at < length; at += piece.length) hash.update(piece.subarray(0, file.read(piece, at)))
  return hash.digest("hex")
}

function sameFile(t: ExecutionContext, volume: Volume, slot: VnodeSlot, wanted: ManifestVnode): void {
  if (wanted.sha256 === undefined) return
  using file = volume.openData(slot.vnode, slot.record)
  t.is(file === undefined ? undefined : hashOf(file, recordLength(slot.record)), wanted.sha256, `vnode ${slot.vnode}`)
}

function sameLink(t: ExecutionContext, volume: Volume, slot: VnodeSlot, wanted: ManifestVnode): void {
  const target = volume.readData(slot.vnode, slot.record)
  t.is(base64(target), wanted.target ?? "no target", `target of vnode ${slot.vnode}`)
  const isMountPoint = (slot.record.mode & 0o111) === 0
  if (wanted.mountPoint !== undefined) t.is(isMountPoint, wanted.mountPoint, `vnode ${slot.vnode}`)
}

function sameDirectory(t: ExecutionContext, volume: Volume, slot: VnodeSlot, wanted: ManifestVnode): void {
  const directory = Directory.parse(volume.readData(slot.vnode, slot.record))
  const names = [...directory.entries()].map((entry) => base64(entry.name))
  const own = names.filter((name) => name !== base64(Buffer.from(".")) && name !== base64(Buffer.from("..")))
  t.is(names.length, own.length + 2, `. and .. of vnode ${slot.vnode}`)
  if (wanted.names !== undefined) t.deepEqual(own.sort(), [...wanted.names].sort(), `names in vnode ${slot.vnode}`)
  const accessList = volume.large.readAccessList(slot.vnode) ?? new Uint8Array(0)
  const { positive, negative } = wanted.acl ?? { positive: [], negative: [] }
  const byId = (a: { id: number }, b: { id: number }): number => a.id - b.id
  t.deepEqual(
    decodeAccessList(accessList),
    { positive: [...positive].sort(byId), negative: [...negative].sort(byId) },
    `access list of vnode ${slot.vnode}`,
  )
}

function sameVnode(t: ExecutionContext, volume: Volume, slot: VnodeSlot, wanted: ManifestVnode): void {
  t.deepEqual(factsOf(slot.vnode, slot.record), wantedFacts(wanted))
  const { vnode, tag } = { vnode: slot.vnode, tag: (slot.record.inodeLow >>> 26) & 7 }
  t.true(volume.links.count(vnode, tag) > 0, `link count of ${inodeText(recordInode(slot.record))}`)
  if (wanted.type === "file") sameFile(t, volume, slot, wanted)
  else if (wanted.type === "symlink") sameLink(t, volume, slot, wanted)
  else sameDirectory(t, volume, slot, wanted)
}

/** Every path of the volume with its vnode number, walked from the root. */
function pathsOf(volume: Volume): Map<string, number> {
  const paths = new Map([["/", 1]])
  const todo = [{ vnode: 1, path: "" }]
  for (let next = todo.pop(); next !== undefined; next = todo.pop()) {
    const record = volume.record(next.vnode)
    if (record === undefined) continue
    for (const { name, vnode } of Directory.parse(volume.readData(next.vnode, record)).entries()) {
      const text = name.toString("latin1")
      if (text === "." || text === "..") continue
      paths.set(`${next.path}/${text}`, vnode)
      if (vnode % 2 === 1) todo.push({ vnode, path: `${next.path}/${text}` })
    }
  }
  return paths
}

function samePaths(t: ExecutionContext, volume: Volume, wanted: ManifestVolume): void {
  const paths = pathsOf(volume)
  for (const { path, vnode } of wanted.paths ?? []) {
    const text = Buffer.from(path, "base64").toString("latin1")
    if (text !== "/" && paths.get(text) !== vnode) t.fail(`${text} leads to ${paths.get(text)}, not ${vnode}`)
  }
  const reached = new Set(paths.values())
  for (const { vnode } of wanted.vnodes) if (!reached.has(vnode)) t.fail(`no path leads to vnode ${vnode}`)
  t.is(
    paths.size,
    wanted.vnodes.reduce((sum, vnode) => sum + namesOf(vnode), 0),
  )
}

/** A directory has one name whatever its link count, everything else as many as that says. */
const namesOf = (vnode: ManifestVnode): number => (vnode.type === "dir" ? 1 : vnode.linkCount)

function sameVolume(t: ExecutionContext, partition: Partition, wanted: ManifestVolume): void {
  using volume = openVolume(partition, wanted.id, "read")
  sameVolumeInfo(t, volume, wanted)
  const slots = [...volume.large.records(), ...volume.small.records()].map(({ vnode, record }) => ({ vnode, record }))
  const wantedNumbers = wanted.vnodes.map((vnode) => vnode.vnode)
  t.deepEqual(
    slots.map((slot) => slot.vnode).sort((a, b) => a - b),
    [...wantedNumbers].sort((a, b) => a - b),
  )
  const byNumber = new Map(wanted.vnodes.map((vnode) => [vnode.vnode, vnode]))
  for (const slot of slots) {
    const vnode = byNumber.get(slot.vnode)
    if (vnode !== undefined) sameVnode(t, volume, { ...slot, bytes: new Uint8Array(0) }, vnode)
  }
  samePaths(t, volume, wanted)
}

function sameAsManifest(t: ExecutionContext, name: CleanFixture, encoding: FixtureEncoding): void {
  const directory = temporaryDirectory(t)
  unpackFixture(name, directory, { encoding })
  const partition = openPartition(directory)
  t.is(partition.ownerEncoding, encoding)
  const { volumes } = fixtureManifest(name)
  t.deepEqual(
    listHeaderNames(partition).map((header) => header.volume),
    volumes.map((volume) => volume.id).sort((a, b) => a - b),
  )
  for (const volume of volumes) sameVolume(t, partition, volume)
}

for (const name of cleanFixtures) {
  // The gigabytes of `large` are hashed once, the way this user can.
  if (name !== "large" || possibleEncoding === "development")
    test(`${name}: read as a development partition, everything is as OpenAFS sees it`, (t) => {
      sameAsManifest(t, name, "development")
    })

  needsRoot(`${name}: read with OpenAFS's owners, everything is as OpenAFS sees it`, (t) => {
    sameAsManifest(t, name, "openafs")
  })
}
