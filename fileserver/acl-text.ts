/**
 * Access lists as clients see them: `"<positive>\n<negative>\n<name>\t<rights>\n…"` with a NUL that counts, positive entries
 * first, rights in decimal. OpenAFS libacl/aclprocs.c (acl_Internalize_pr, acl_Externalize_pr); docs/access.md.
 */
import { AfsError } from "../common/error.ts"
import { afsLimits } from "../common/protocol/afs-types.ts"
import {
  type AccessList,
  accessEntriesMax,
  accessListText,
  decodeAccessList,
  encodeAccessList,
} from "../common/vnode/access-list.ts"
import { anonymousId, type Protection } from "./protection.ts"

/** Names are cut at this many characters, as OpenAFS's are. */
const nameLengthMax = 63

/**
 * FetchACL: the text of the list in a 192-byte area, entries ascending by id.
 * @throws AfsError E2BIG if it is longer than the protocol's opaque; FormatError for a damaged list
 */
export function accessListToWire(area: Uint8Array, protection: Protection): Uint8Array | Promise<Uint8Array> {
  const list = decodeAccessList(area)
  const ids = [...list.positive, ...list.negative].map(({ id }) => id)
  const names = protection.namesOf(ids)
  return names instanceof Promise ? names.then((found) => wireOf(list, ids, found)) : wireOf(list, ids, names)
}

function wireOf(list: AccessList, ids: readonly number[], names: readonly string[]): Uint8Array {
  const known = new Map(ids.map((id, index) => [id, names[index]]))
  const bytes = Buffer.from(`${accessListText(list, (id) => known.get(id) ?? String(id))}\0`, "latin1")
  if (bytes.length <= afsLimits.opaque) return bytes
  const detail = `the text takes ${bytes.length} bytes, at most ${afsLimits.opaque} can be sent`
  throw new AfsError("E2BIG", "accessListToWire", {}, { detail })
}

/**
 * StoreACL: the 192-byte area for a text. `over` is the area that is replaced, whose bytes behind the list stay.
 * @throws AfsError EINVAL for bad syntax, more than 20 entries, a name that nobody has, or `anonymous`
 */
export function accessListFromWire(
  text: Uint8Array,
  protection: Protection,
  over?: Uint8Array,
): Uint8Array | Promise<Uint8Array> {
  const lines = parseText(text)
  const ids = protection.idsOf(lines.entries.map(({ name }) => name))
  return ids instanceof Promise ? ids.then((found) => areaOf(lines, found, over)) : areaOf(lines, ids, over)
}

interface Line {
  readonly name: string
  readonly rights: number
}

interface Lines {
  readonly positive: number
  readonly entries: readonly Line[]
}

function refuse(detail: string): never {
  throw new AfsError("EINVAL", "accessListFromWire", {}, { detail })
}

function areaOf({ positive, entries }: Lines, ids: readonly (number | undefined)[], over?: Uint8Array): Uint8Array {
  const resolved = entries.map(({ name, rights }, index) => {
    const id = ids[index]
    if (id === undefined || id === anonymousId) refuse(`nobody is called ${JSON.stringify(name)}`)
    return { id, rights }
  })
  return encodeAccessList({ positive: resolved.slice(0, positive), negative: resolved.slice(positive) }, "disk", over)
}

const countPattern = /^\s*(\d{1,3})\n/
const linePattern = /^\s*(\S+)\t\s*([+-]?\d{1,11})\n/

function parseText(bytes: Uint8Array): Lines {
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString("latin1")
  const end = text.indexOf("\0")
  if (end < 0) refuse("the text has no NUL at its end")
  const reader = { rest: text.slice(0, end) }
  const positive = Number(take(reader, countPattern, "a number of entries")[1])
  const total = positive + Number(take(reader, countPattern, "a number of entries")[1])
  if (total > accessEntriesMax) refuse(`${total} entries, at most ${accessEntriesMax} fit`)
  const entries = Array.from({ length: total }, (): Line => {
    const [, name = "", rights] = take(reader, linePattern, "a name, a tab and rights")
    return { name: name.slice(0, nameLengthMax), rights: Number(rights) | 0 }
  })
  return { positive, entries }
}

function take(reader: { rest: string }, pattern: RegExp, wanted: string): RegExpExecArray {
  const found =
    pattern.exec(reader.rest) ?? refuse(`found ${JSON.stringify(reader.rest.slice(0, 80))}, wanted ${wanted}`)
  reader.rest = reader.rest.slice(found[0].length)
  return found
}
