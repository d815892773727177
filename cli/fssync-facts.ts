/**
 * What FSSYNC answers carry, for people and for programs: a line for each field, with the name of a number beside it; as JSON
 * the same fields, with the names under `names`.
 */
import { printable } from "../common/cli/output.ts"
import { attachModes, programTypeName, volumeTypes } from "../common/protocol/codes.ts"
import { vnodeRecordLayout, vnodeTypes } from "../common/vnode/vnode-record.ts"
import { generations } from "../common/volume/volume-lru.ts"
import { volumeStateOf } from "../common/volume/volume-state.ts"
import { reasonName } from "../fssync/answer-meaning.ts"
import { fssyncCommands, nameIn, salvsyncReasons, volumeOperationStates } from "../fssync/message.ts"
import type { VnodeReport } from "../fssync/payload.ts"

/** OpenAFS's names of the bits of attach_flags (vol/volume.h). */
const attachFlags = {
  VOL_HDR_ATTACHED: 0x1,
  VOL_HDR_LOADED: 0x2,
  VOL_HDR_IN_LRU: 0x4,
  VOL_IN_HASH: 0x8,
  VOL_ON_VBYP_LIST: 0x10,
  VOL_IS_BUSY: 0x20,
  VOL_ON_VLRU: 0x40,
  VOL_HDR_DONTSALV: 0x80,
  VOL_LOCKED: 0x100,
} as const

/** Name of a number by what it is called; undefined: the number says it all. */
type Naming = (value: number) => string | undefined

const orNothing =
  (naming: Naming): Naming =>
  (value) =>
    value === 0 ? undefined : naming(value)

const inTable =
  (table: Readonly<Record<string, number>>): Naming =>
  (value) =>
    nameIn(table, value)

const date: Naming = orNothing((seconds) => new Date(seconds * 1000).toISOString())

const bitNames: Naming = (bits) =>
  Object.entries(attachFlags)
    .filter(([, bit]) => (bits & bit) !== 0)
    .map(([name]) => name)
    .join(" ")

/** By the last word of a field's path. */
const namings: Readonly<Record<string, Naming>> = {
  attach_state: (value) => volumeStateOf(value) ?? "?",
  from: (value) => volumeStateOf(value) ?? "?",
  to: (value) => volumeStateOf(value) ?? "?",
  at: (ms) => new Date(ms).toISOString(),
  attach_flags: bitNames,
  specialStatus: orNothing(reasonName),
  checkoutMode: orNothing(inTable(attachModes)),
  programType: programTypeName,
  inUse: orNothing(programTypeName),
  command: inTable(fssyncCommands),
  idx: inTable(generations),
  updateTime: date,
  startTime: date,
}

/** By the whole path, before the last word. */
const pathNamings: Readonly<Record<string, Naming>> = {
  "salvage.reason": orNothing(inTable(salvsyncReasons)),
  state: inTable(volumeOperationStates),
  type: inTable(volumeTypes),
  "record.type": inTable(vnodeTypes),
}

function namingOf(path: string): Naming | undefined {
  const last = path.slice(path.lastIndexOf(".") + 1)
  if (/^last_|Date$/.test(last) || /ModifyTime$/.test(last)) return date
  return pathNamings[path] ?? namings[last]
}

/** A field: its path, its value, and the value's name. */
interface Fact {
  readonly path: string
  readonly value: unknown
  readonly name: string | undefined
}

const isLeaf = (value: unknown): boolean => typeof value !== "object" || value === null

/** Arrays of counters, by what each counts. */
const elementNamings: Readonly<Record<string, Naming>> = {
  state_levels: (state) => volumeStateOf(state),
  lengths: inTable(generations),
}

function* countersIn(counters: readonly unknown[], path: string, naming: Naming): Generator<Fact> {
  for (const [index, value] of counters.entries()) {
    if (value !== 0) yield { path: `${path}.${naming(index) ?? index}`, value, name: undefined }
  }
}

/** Rows that have a name go by it, and a row that has only a value beside it is that value. */
function* rowsIn(rows: readonly unknown[], path: string): Generator<Fact> {
  for (const [index, row] of rows.entries()) {
    const isNamed = typeof row === "object" && row !== null && "name" in row && typeof row.name === "string"
    if (!isNamed) yield* factsIn(row, `${path}.${index}`)
    else if ("value" in row) yield* factsIn(row.value, `${path}.${row.name}`)
    else yield* factsIn({ ...row, name: undefined }, `${path}.${row.name}`)
  }
}

/** Arrays of plain values are one fact; everything else is taken apart. Reserved bytes and absent values are left out. */
function* factsIn(value: unknown, path: string): Generator<Fact> {
  const naming = elementNamings[path]
  if (value === undefined || value instanceof Uint8Array) return
  if (Array.isArray(value) && naming !== undefined) return yield* countersIn(value, path, naming)
  if (Array.isArray(value) && !value.every(isLeaf)) return yield* rowsIn(value, path)
  if (typeof value !== "object" || value === null) {
    yield { path, value, name: typeof value === "number" ? namingOf(path)?.(value) : undefined }
  } else if (Array.isArray(value)) {
    yield { path, value, name: undefined }
  } else {
    const dot = path === "" ? "" : "."
    for (const [key, part] of Object.entries(value)) yield* factsIn(part, `${path}${dot}${key}`)
  }
}

/** The reason of a checkout is an attach mode where it is NEEDVOLUME's. */
function nameReason(facts: readonly Fact[]): Fact[] {
  const command = facts.find(({ path }) => path === "request.command")?.value
  const name: Naming = command === fssyncCommands.VOL_NEEDVOLUME ? inTable(attachModes) : reasonName
  return facts.map((fact) =>
    fact.path === "request.reason" && typeof fact.value === "number" ? { ...fact, name: name(fact.value) } : fact,
  )
}

/** Every field of a payload, in its order. */
function factsOf(payload: unknown): Fact[] {
  return nameReason([...factsIn(payload, "")])
}

/** One line for each field: path, value, name. */
export function formatFacts(payload: unknown): string {
  const facts = factsOf(payload)
  const width = facts.reduce((most, { path }) => Math.max(most, path.length), 0)
  return facts
    .map(({ path, value, name }) => {
      const shown = Array.isArray(value) ? value.join(" ") : String(value)
      return `${printable(`${path.padEnd(width)}  ${shown}${name === undefined ? "" : ` (${name})`}`.trimEnd())}\n`
    })
    .join("")
}

/** A payload as JSON has it: bytes in hexadecimal, and the names of numbers by path under `names`. */
export function plainPayload(payload: unknown): { readonly payload: unknown; readonly names: Record<string, string> } {
  const names = factsOf(payload).flatMap(({ path, name }) => (name === undefined ? [] : [[path, name] as const]))
  return { payload: withHex(payload), names: Object.fromEntries(names) }
}

function withHex(value: unknown): unknown {
  if (value instanceof Uint8Array) return Buffer.from(value).toString("hex")
  if (Array.isArray(value)) return value.map(withHex)
  if (typeof value !== "object" || value === null) return value
  return Object.fromEntries(Object.entries(value).map(([key, part]) => [key, withHex(part)]))
}

/** A vnode with its record taken apart. */
export function vnodeFacts(vnode: VnodeReport): VnodeReport & { readonly record: object } {
  return { ...vnode, record: vnodeRecordLayout.read(vnode.disk) }
}
