/**
 * UUIDs of servers and clients as text, in the form that OpenAFS's tools print: `0096b658-4fba-1b01-b2-d2-0100007faa77`.
 * Text compares and serves as a key; 16 bytes in network order are what files hold.
 */
import { FormatError } from "../error.ts"

const uuidBytesCount = 16
const textForm = /^([0-9a-f]{8})-([0-9a-f]{4})-([0-9a-f]{4})-([0-9a-f]{2})-?([0-9a-f]{2})-([0-9a-f]{12})$/i

/** All zeros: no UUID. */
export const nullUuid = "00000000-0000-0000-00-00-000000000000"

/** Text of 16 bytes. @throws FormatError if there are fewer. */
export function uuidOfBytes(bytes: Uint8Array): string {
  if (bytes.length < uuidBytesCount) throw new FormatError("UUID", {}, `${bytes.length} bytes`, `${uuidBytesCount}`)
  const hex = Buffer.from(bytes.buffer, bytes.byteOffset, uuidBytesCount).toString("hex")
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 18)}-${hex.slice(18, 20)}-${hex.slice(20)}`
}

/** The 16 bytes of a text, also of one in the usual form of five groups. @throws FormatError if it is no UUID. */
export function uuidBytes(text: string): Uint8Array {
  const groups = textForm.exec(text)
  if (groups === null) throw new FormatError("UUID", {}, JSON.stringify(text), `text like ${nullUuid}`)
  return Buffer.from(groups.slice(1).join(""), "hex")
}
