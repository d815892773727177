/**
 * Ids for new volumes, where no volume location server hands them out: above every id on the partitions and above every id
 * given before, so that the id of a removed volume is not soon that of another.
 */
import { dirname } from "node:path"
import { nodeDisk } from "../common/disk/node-disk.ts"
import { AfsError } from "../common/error.ts"
import { listHeaderNames, type Partition } from "../common/partition/partition.ts"
import { type FoundVolume, isReadable, listVolumes, notedIds, type UnreadableVolume } from "./volume-list.ts"

/** First id that a cell gives. */
export const firstVolumeId = 536_870_912
/** Ids above are valid, but not every tool of OpenAFS can name them: they are only given on request. */
const lastVolumeId = 2 ** 31 - 1
const counterName = "volume-id"

/** @throws AfsError EINVAL unless a volume can have this id */
export function requireVolumeId(id: number): void {
  if (Number.isInteger(id) && id > 0 && id < 2 ** 32) return
  throw new AfsError("EINVAL", "newVolume", {}, { detail: `volume id ${id} is not in 1..4294967295` })
}

/** The next free id. @throws AfsError EINVAL when ids are used up; DiskError */
export function nextVolumeId(partitions: readonly Partition[], stateDirectory: string | undefined): number {
  const counter = stateDirectory === undefined ? 0 : readCounter(stateDirectory)
  const known = partitions.flatMap((partition) => listHeaderNames(partition).map(({ volume }) => volume))
  // Only a counter tells which ids were given before. Without one, what volumes note of clones that are gone has to do.
  const noted = counter > 0 ? [] : partitions.flatMap((partition) => [...listVolumes(partition)].flatMap(idsNotedBy))
  const highest = [...known, ...noted].reduce(
    (most, id) => (id <= lastVolumeId ? Math.max(most, id) : most),
    firstVolumeId - 1,
  )
  const id = Math.max(highest + 1, counter)
  if (id <= lastVolumeId) return id
  throw new AfsError("EINVAL", "nextVolumeId", {}, { detail: "no id is left: give one with --id" })
}

const idsNotedBy = (volume: FoundVolume | UnreadableVolume): number[] => (isReadable(volume) ? notedIds(volume) : [])

/** Remembers that an id was given. */
export function rememberVolumeId(stateDirectory: string | undefined, id: number): void {
  if (stateDirectory === undefined || nodeDisk.stat(stateDirectory) === undefined) return
  if (id > lastVolumeId) return // asked for by number: it must not use up those that are given
  if (readCounter(stateDirectory) > id) return
  const path = `${stateDirectory}/${counterName}`
  const draft = `${path}.${process.pid}`
  if (nodeDisk.stat(draft) !== undefined) nodeDisk.unlink(draft)
  {
    using file = nodeDisk.open(draft, "create", 0o600)
    file.write(Buffer.from(`${id + 1}\n`), 0)
    file.sync()
  }
  nodeDisk.rename(draft, path)
  nodeDisk.syncDirectory(dirname(path))
}

/** 0 where there is no counter, or none that can be understood: the partitions still say which ids are taken. */
function readCounter(stateDirectory: string): number {
  const bytes = nodeDisk.readFile(`${stateDirectory}/${counterName}`)
  const text = bytes === undefined ? "" : Buffer.from(bytes).toString("latin1").trim()
  return /^\d{1,10}$/.test(text) ? Number(text) : 0
}
