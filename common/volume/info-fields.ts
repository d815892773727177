/**
 * Single fields of VolumeInfo, read and changed in its bytes without decoding the rest: a fileserver does that at each attach
 * and each detach. docs/formats/volume-info.md.
 */
import { FormatError } from "../error.ts"
import { volumeInfoLayout, volumeInfoMagic, volumeInfoVersion } from "./volume-info.ts"

const { offsets } = volumeInfoLayout
const offlineMessageSize = offsets.statReads - offsets.offlineMessage

/** Fields of one byte. */
export type InfoByte =
  | "inUse"
  | "inService"
  | "blessed"
  | "needsSalvaged"
  | "needsCallback"
  | "destroyMe"
  | "dontSalvage"
/** Fields of four bytes, as unsigned numbers. */
export type InfoWord =
  | "magic"
  | "version"
  | "id"
  | "uniquifier"
  | "type"
  | "updateDate"
  | "statInitialized"
  | "maxquota"
  | "minquota"
  | "owner"
  | "filecount"
  | "diskused"
  | "dayUse"
  | "dayUseDate"
  | "volUpdateCounter"
  | "creationDate"
  | "accessDate"

/** Fields of several counters of four bytes. */
export type InfoCounters =
  | "statReads"
  | "statWrites"
  | "statFileSameAuthor"
  | "statFileDiffAuthor"
  | "statDirSameAuthor"
  | "statDirDiffAuthor"

/** What may be changed in place. */
export type InfoChanges = Partial<Readonly<Record<InfoByte, number>>> & { readonly offlineMessage?: string }

export function infoByte(bytes: Uint8Array, field: InfoByte): number {
  return bytes[offsets[field]] ?? 0
}

export function infoWord(bytes: Uint8Array, field: InfoWord): number {
  return wordAt(bytes, offsets[field])
}

export function setInfoWord(bytes: Uint8Array, field: InfoWord, value: number): void {
  setWordAt(bytes, offsets[field], value)
}

/** One more in one of a field's counters, which begin again behind the largest number. */
export function countInfo(bytes: Uint8Array, field: InfoCounters, index: number): void {
  const at = offsets[field] + 4 * index
  setWordAt(bytes, at, wordAt(bytes, at) + 1)
}

function wordAt(bytes: Uint8Array, at: number): number {
  return (
    ((bytes[at] ?? 0) | ((bytes[at + 1] ?? 0) << 8) | ((bytes[at + 2] ?? 0) << 16) | ((bytes[at + 3] ?? 0) << 24)) >>> 0
  )
}

function setWordAt(bytes: Uint8Array, at: number, value: number): void {
  for (let index = 0; index < 4; index++) bytes[at + index] = value >>> (8 * index)
}

/** True if the volume has an offline message. */
export function hasOfflineMessage(bytes: Uint8Array): boolean {
  return bytes[offsets.offlineMessage] !== 0
}

/** Changes these fields. A message is padded with zeros; taking it away leaves all of it but the first byte, as OpenAFS does. */
export function changeInfo(bytes: Uint8Array, changes: InfoChanges): void {
  const { offlineMessage, ...flags } = changes
  for (const [field, value] of Object.entries(flags)) if (isInfoByte(field)) bytes[offsets[field]] = value
  if (offlineMessage === undefined) return
  const at = offsets.offlineMessage
  if (offlineMessage === "") bytes[at] = 0
  else bytes.fill(0, at, at + offlineMessageSize)
  for (let index = 0; index < offlineMessage.length; index++) bytes[at + index] = offlineMessage.charCodeAt(index)
}

function isInfoByte(field: string): field is InfoByte {
  return field in offsets
}

/**
 * Looks at what tells whether these bytes are the information of this volume at all.
 * @throws FormatError if they are short, have another stamp, or name another volume
 */
export function requireInfoOf(volume: number, bytes: Uint8Array, length: number, path: string): void {
  if (length < volumeInfoLayout.size) {
    throw new FormatError("VolumeInfo", { path, offset: 0 }, `${length} bytes`, `${volumeInfoLayout.size}`)
  }
  const [magic, version] = [infoWord(bytes, "magic"), infoWord(bytes, "version")]
  if (magic !== volumeInfoMagic || version !== volumeInfoVersion) {
    const found = `magic 0x${magic.toString(16)} version ${version}`
    throw new FormatError("VolumeInfo", { path, offset: 0 }, found, "0x78a1b2c5 version 1")
  }
  const id = infoWord(bytes, "id")
  if (id !== volume) throw new FormatError("VolumeInfo", { path, offset: offsets.id }, `volume id ${id}`, `${volume}`)
}
