/**
 * What a volume and its partition have on disk besides files: every byte of VolumeInfo, with moments in words that two runs have
 * in common, and the files beside the data with their modes.
 */
import { lstatSync, readdirSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { inodePath } from "../../common/partition/namei-path.ts"
import { openPartition } from "../../common/partition/partition.ts"
import { requireHeader } from "../../common/volume/volume.ts"
import { infoInode } from "../../common/volume/volume-header.ts"
import { volumeInfoLayout } from "../../common/volume/volume-info.ts"

/** A fact a line: `home.ann inUse: 1`. */
export type Marks = ReadonlyMap<string, string>

const ids = ["id", "parentId", "cloneId", "backupId", "restoredFromId"] as const
const dates = ["creationDate", "accessDate", "updateDate", "expirationDate", "backupDate", "copyDate"] as const
/** Name and byte range of the texts, behind whose NUL old bytes may lie. */
const texts = { name: [12, 44], offlineMessage: [296, 424] } as const

const shown = (bytes: Buffer): string => JSON.stringify(bytes.toString("latin1").replace(/\0+$/, ""))

/** Compared with the moments of the event before, which `since` began. */
function dateText(date: number, before: number | undefined, since: number): string {
  if (date === 0) return "never"
  if (date >= since) return "now"
  return date === before ? "as before" : "an earlier one"
}

export class DiskMarks {
  readonly #directory: string
  readonly #state: string
  readonly #dates = new Map<string, number>()

  /** Directories of a partition, and of the servers' state. */
  constructor(directory: string, state: string) {
    this.#directory = directory
    this.#state = state
  }

  /** Everything, after an event that began at `since` (seconds since 1970). */
  take(since: number): Marks {
    const marks = new Map<string, string>()
    const volumes = new Map<number, Buffer>()
    for (const file of readdirSync(this.#directory).sort()) {
      const id = Number(/^V(\d{10})\.vol$/.exec(file)?.[1])
      if (id > 0) volumes.set(id, this.#infoOf(id))
      else marks.set(file, attributes(join(this.#directory, file)))
    }
    for (const path of ["AFSIDat/README", "Lock/vicepa"]) marks.set(path, attributes(join(this.#directory, path)))
    for (const file of readdirSync(this.#state)) marks.set(`state: ${file}`, modeOf(join(this.#state, file)))
    const names = new Map([...volumes].map(([id, bytes]) => [id, volumeInfoLayout.read(bytes).name]))
    for (const [id, bytes] of volumes) {
      const header = attributes(join(this.#directory, `V${String(id).padStart(10, "0")}.vol`))
      marks.set(`${names.get(id)} header`, header)
      this.#takeInfo(bytes, names, since, marks)
    }
    return marks
  }

  #infoOf(id: number): Buffer {
    const header = requireHeader(openPartition(this.#directory), id)
    return readFileSync(join(this.#directory, inodePath(header.parent, infoInode(header))))
  }

  #takeInfo(bytes: Buffer, names: ReadonlyMap<number, string>, since: number, marks: Map<string, string>): void {
    const info = volumeInfoLayout.read(bytes)
    const put = (field: string, value: string): void => void marks.set(`${info.name} ${field}`, value)
    for (const [field, value] of Object.entries(info)) put(field, plain(value))
    for (const [field, [from, to]] of Object.entries(texts)) put(field, shown(bytes.subarray(from, to)))
    for (const field of ids) put(field, info[field] === 0 ? "none" : (names.get(info[field]) ?? "gone"))
    for (const field of dates) {
      const key = `${info.id} ${field}`
      put(field, dateText(info[field], this.#dates.get(key), since))
      this.#dates.set(key, info[field])
    }
    put("size", String(bytes.length))
  }
}

const modeOf = (path: string): string => {
  const stat = lstatSync(path, { throwIfNoEntry: false })
  return stat === undefined ? "-" : `mode ${(stat.mode & 0o7777).toString(8)}`
}

/** Mode and size of a file, mode of a folder. */
function attributes(path: string): string {
  const stat = lstatSync(path, { throwIfNoEntry: false })
  return stat?.isFile() === true ? `${modeOf(path)}, ${stat.size} bytes` : modeOf(path)
}

function plain(value: unknown): string {
  if (value instanceof Uint8Array) return Buffer.from(value).toString("hex").replace(/^0+$/, "zeros")
  if (Array.isArray(value)) return value.join(" ")
  return String(value)
}

/** Facts that two runs do not share, as `event: fact: theirs | ours`. */
export function differentMarks(event: string, theirs: Marks, ours: Marks): string[] {
  return [...new Set([...theirs.keys(), ...ours.keys()])]
    .filter((fact) => theirs.get(fact) !== ours.get(fact))
    .map((fact) => `${event}: ${fact}: ${theirs.get(fact) ?? "-"} | ${ours.get(fact) ?? "-"}`)
}
