/**
 * Access lists as a fileserver and its clients exchange them: `"<positive>\n<negative>\n<name>\t<rights>\n…"`, positive entries
 * first, rights in decimal, and a NUL that counts. OpenAFS libacl/aclprocs.c (acl_Internalize_pr, acl_Externalize_pr).
 */
import { AfsError } from "../error.ts"
import { accessEntriesMax } from "./access-list.ts"

/** Rights of somebody by name: a sum of `accessRights`. */
interface NamedEntry {
  readonly name: string
  readonly rights: number
}

export interface NamedAccessList {
  readonly positive: readonly NamedEntry[]
  readonly negative: readonly NamedEntry[]
}

/** Names are cut at this many characters, as OpenAFS's are. */
const nameLengthMax = 63

/** The bytes on the wire. */
export function formatAccessList({ positive, negative }: NamedAccessList): Uint8Array {
  const lines = [...positive, ...negative].map(({ name, rights }) => `${name}\t${rights}\n`)
  return Buffer.from(`${positive.length}\n${negative.length}\n${lines.join("")}\0`, "latin1")
}

function refuse(detail: string): never {
  throw new AfsError("EINVAL", "parseAccessList", {}, { detail })
}

const countPattern = /^\s*(\d{1,3})\n/
const linePattern = /^\s*(\S+)[\t ]+([+-]?\d{1,11})[^\n]*\n/

/** The list that bytes on the wire mean. @throws AfsError EINVAL for bad syntax or more than 20 entries */
export function parseAccessList(bytes: Uint8Array): NamedAccessList {
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString("latin1")
  const end = text.indexOf("\0")
  if (end < 0) refuse("the text has no NUL at its end")
  const reader = { rest: text.slice(0, end) }
  const positive = Number(take(reader, countPattern, "a number of entries")[1])
  const total = positive + Number(take(reader, countPattern, "a number of entries")[1])
  if (total > accessEntriesMax) refuse(`${total} entries, at most ${accessEntriesMax} fit`)
  const entries = Array.from({ length: total }, (): NamedEntry => {
    const [, name = "", rights] = take(reader, linePattern, "a name, a tab and rights")
    return { name: name.slice(0, nameLengthMax), rights: Number(rights) | 0 }
  })
  return { positive: entries.slice(0, positive), negative: entries.slice(positive) }
}

function take(reader: { rest: string }, pattern: RegExp, wanted: string): RegExpExecArray {
  const found =
    pattern.exec(reader.rest) ?? refuse(`found ${JSON.stringify(reader.rest.slice(0, 80))}, wanted ${wanted}`)
  reader.rest = reader.rest.slice(found[0].length)
  return found
}
