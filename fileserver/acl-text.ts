/**
 * Access lists for clients: ids become names on the way out, names ids on the way in. OpenAFS viced/afsfileprocs.c
 * (RXFetch_AccessList, RXStore_AccessList).
 */
import { AfsError } from "../common/error.ts"
import { afsLimits } from "../common/protocol/afs-types.ts"
import { type AccessList, decodeAccessList, encodeAccessList } from "../common/vnode/access-list.ts"
import { formatAccessList, type NamedAccessList, parseAccessList } from "../common/vnode/access-list-text.ts"
import { anonymousId, type Protection } from "./protection.ts"

/**
 * FetchACL: the text of the list in a 192-byte area, entries ascending by id.
 * @throws AfsError E2BIG if it is longer than the protocol's opaque; FormatError for a damaged list
 */
export function accessListToWire(area: Uint8Array, protection: Protection): Uint8Array | Promise<Uint8Array> {
  const list = decodeAccessList(area)
  const names = protection.namesOf([...list.positive, ...list.negative].map(({ id }) => id))
  return names instanceof Promise ? names.then((found) => wireOf(list, found)) : wireOf(list, names)
}

function wireOf({ positive, negative }: AccessList, names: readonly string[]): Uint8Array {
  const named = [...positive, ...negative].map(({ id, rights }, index) => ({
    name: names[index] ?? String(id),
    rights,
  }))
  const bytes = formatAccessList({
    positive: named.slice(0, positive.length),
    negative: named.slice(positive.length),
  })
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
  const list = parseAccessList(text)
  const ids = protection.idsOf([...list.positive, ...list.negative].map(({ name }) => name))
  return ids instanceof Promise ? ids.then((found) => areaOf(list, found, over)) : areaOf(list, ids, over)
}

function areaOf(list: NamedAccessList, ids: readonly (number | undefined)[], over?: Uint8Array): Uint8Array {
  const entries = [...list.positive, ...list.negative].map(({ name, rights }, index) => {
    const id = ids[index]
    if (id !== undefined && id !== anonymousId) return { id, rights }
    const detail = `nobody is called ${JSON.stringify(name)}`
    throw new AfsError("EINVAL", "accessListFromWire", {}, { detail })
  })
  const { length } = list.positive
  return encodeAccessList({ positive: entries.slice(0, length), negative: entries.slice(length) }, "disk", over)
}
