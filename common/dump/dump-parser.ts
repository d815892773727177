/**
 * The one parser of volume dump streams: it says what comes next, and never waits. docs/formats/dump.md says
 * what is accepted; OpenAFS volser/dumpstuff.c.
 */
import { findAccessListFault, turnAccessList } from "../vnode/access-list.ts"
import { accessListSize } from "../vnode/vnode-record.ts"
import type { DumpCursor } from "./dump-cursor.ts"
import {
  type Attribute,
  accessListTag,
  criticalTag,
  type DumpHeader,
  type DumpVnode,
  type DumpVolumeHeader,
  dataTag,
  dumpBeginMagic,
  dumpEndMagic,
  dumpEndSize,
  dumpHeaderAttributes,
  dumpSections,
  irregularTags,
  longDataTag,
  newDumpVnode,
  newDumpVolumeHeader,
  sectionTagMax,
  vnodeAttributes,
  vnodeNumberMax,
  volumeHeaderAttributes,
  volumeUpdateCounter,
} from "./dump-tags.ts"
import type { DumpWindow } from "./dump-window.ts"

/** What comes next in the stream. */
export type DumpEvent =
  | { readonly kind: "dump"; readonly header: DumpHeader }
  /** Usually one; if there are several, the last one counts. */
  | { readonly kind: "volume"; readonly header: DumpVolumeHeader }
  /** File data begins: read it now, or it is skipped. `vnode` has the attributes met so far. */
  | { readonly kind: "data"; readonly vnode: DumpVnode; readonly length: number }
  /** A vnode is complete, its data is over. Without attributes it exists and has not changed. */
  | { readonly kind: "vnode"; readonly vnode: DumpVnode; readonly hasAttributes: boolean }
  /** The end mark was right and nothing follows. */
  | { readonly kind: "end"; readonly length: number }

/** Bytes that tell the length of an unknown attribute, at most; more do not fit into any length. */
const lengthBytesMax = 8
/** A section under construction: attributes go where the tables say. */
type Fields = Record<string, unknown>

interface KnownAttribute extends Attribute<unknown> {
  readonly key: string
}

/** Attributes of a section by tag. */
function byTag(table: Readonly<Record<string, Attribute<unknown>>>): readonly (KnownAttribute | undefined)[] {
  const known = new Array<KnownAttribute | undefined>(256).fill(undefined)
  for (const [key, attribute] of Object.entries(table)) known[attribute.tag] = { ...attribute, key }
  return known
}

const knownAttributes = {
  dumpHeader: byTag(dumpHeaderAttributes),
  volumeHeader: byTag({ ...volumeHeaderAttributes, volumeUpdateCounter }),
  vnode: byTag(vnodeAttributes),
} as const

type State = "begin" | "section" | keyof typeof knownAttributes | "end"

/** The window has run dry. */
const dry = Symbol("dry")
/** A step was taken that the consumer need not know. */
const more = Symbol("more")
type Step = DumpEvent | typeof dry | typeof more

const hex = (value: number): string => `0x${value.toString(16)}`
const tagName = (tag: number): string =>
  tag > 0x20 && tag < 0x7f ? `tag '${String.fromCharCode(tag)}'` : `tag ${hex(tag)}`

export class DumpParser {
  readonly #window: DumpWindow
  readonly #cursor: DumpCursor
  #state: State = "begin"
  #fields: Fields = {}
  /** The vnode that the fields belong to; `#fields` is the same object. */
  #vnode: DumpVnode | undefined
  #hasAttributes = false
  #hasVolume = false
  #critical = false

  constructor(cursor: DumpCursor) {
    this.#cursor = cursor
    this.#window = cursor.window
  }

  /** What comes next; undefined if it is not there yet. File data that was not read is passed over. */
  next(): DumpEvent | undefined {
    for (;;) {
      if (!this.#cursor.passOver()) return undefined
      const step = this.#step()
      if (step === dry) return undefined
      if (step !== more) return step
    }
  }

  #step(): Step {
    switch (this.#state) {
      case "begin":
        return this.#begin()
      case "section":
        return this.#section()
      case "end":
        return this.#end()
      case "dumpHeader":
      case "volumeHeader":
      case "vnode":
        return this.#inSection(this.#state)
    }
  }

  #begin(): Step {
    if (this.#cursor.needs(9, "dump header")) return dry
    const magic = this.#window.u32(1)
    if (this.#window.u8(0) !== dumpSections.dumpHeader || magic !== dumpBeginMagic) {
      throw this.#cursor.error(
        `tag ${hex(this.#window.u8(0))}, magic ${hex(magic)}`,
        `tag 0x1, magic ${hex(dumpBeginMagic)}`,
      )
    }
    this.#fields = { version: this.#window.u32(5) }
    this.#window.advance(9)
    this.#state = "dumpHeader"
    return more
  }

  /** Begins the section whose tag comes next. */
  #section(): Step {
    if (this.#cursor.needs(1, "a section")) return dry
    const tag = this.#window.u8(0)
    this.#critical = false
    if (tag === dumpSections.volumeHeader) return this.#beginVolume()
    if (tag === dumpSections.vnode && this.#hasVolume) return this.#beginVnode()
    if (tag === dumpSections.end && this.#hasVolume) return this.#beginEnd()
    throw this.#cursor.error(`section ${tag}`, this.#hasVolume ? "a vnode or the end" : "a volume header")
  }

  #beginVolume(): Step {
    this.#window.advance(1)
    this.#hasVolume = true
    this.#fields = { ...newDumpVolumeHeader() }
    this.#state = "volumeHeader"
    return more
  }

  #beginVnode(): Step {
    if (this.#cursor.needs(9, "a vnode")) return dry
    const number = this.#window.u32(1)
    if (number === 0 || number > vnodeNumberMax)
      throw this.#cursor.error(`vnode ${number}`, `1 to ${vnodeNumberMax}`, 1)
    this.#vnode = newDumpVnode(number, this.#window.u32(5))
    // The attributes met are stored in the vnode itself: tables and type come from the same declaration.
    this.#fields = this.#vnode as unknown as Fields
    this.#hasAttributes = false
    this.#window.advance(9)
    this.#state = "vnode"
    return more
  }

  #beginEnd(): Step {
    if (this.#cursor.needs(dumpEndSize, "end mark")) return dry
    const magic = this.#window.u32(1)
    if (magic !== dumpEndMagic) throw this.#cursor.error(`end mark ${hex(magic)}`, hex(dumpEndMagic), 1)
    this.#window.advance(dumpEndSize)
    this.#state = "end"
    return more
  }

  #end(): Step {
    if (this.#window.ensure(1)) throw this.#cursor.error("bytes after the end mark", "the end of the stream")
    return this.#window.ended ? { kind: "end", length: this.#window.offset } : dry
  }

  #inSection(section: keyof typeof knownAttributes): Step {
    if (this.#cursor.needs(1, "an attribute or a section")) return dry
    const tag = this.#window.u8(0)
    if (tag <= sectionTagMax) return this.#finishSection(section)
    if (section === "vnode") {
      this.#hasAttributes = true
      if (tag === accessListTag) return this.#accessList()
      if (tag === dataTag || tag === longDataTag) return this.#data(tag)
    }
    const known = knownAttributes[section][tag]
    return known === undefined ? this.#unknown(tag) : this.#attribute(known)
  }

  #finishSection(section: keyof typeof knownAttributes): DumpEvent {
    const vnode = this.#vnode
    this.#state = "section"
    this.#vnode = undefined
    if (section === "dumpHeader") return { kind: "dump", header: this.#dumpHeader() }
    if (section === "vnode" && vnode !== undefined) return this.#finishVnode(vnode)
    return { kind: "volume", header: { ...newDumpVolumeHeader(), ...this.#fields } }
  }

  #dumpHeader(): DumpHeader {
    const { version, volume, name, dates } = this.#fields as Partial<Omit<DumpHeader, "from" | "to">> & {
      dates?: number[]
    }
    if (volume === undefined || volume === 0)
      throw this.#cursor.error("a dump header without the volume's id (tag 'v')")
    if (dates === undefined) throw this.#cursor.error("a dump header without dates (tag 't')")
    return { version: version ?? 0, volume, name: name ?? "", from: dates[0] ?? 0, to: dates[1] ?? 0 }
  }

  /** Refuses what would make a vnode index unsound: OpenAFS would write it. */
  #finishVnode(vnode: DumpVnode): DumpEvent {
    const isDirectory = vnode.type === 2
    if (this.#hasAttributes && (vnode.type < 1 || vnode.type > 3 || isDirectory !== (vnode.vnode % 2 === 1))) {
      const wanted = vnode.vnode % 2 === 1 ? "type 2 for an odd number" : "type 1 or 3 for an even number"
      throw this.#cursor.error(`vnode ${vnode.vnode} of type ${vnode.type} before this offset`, wanted)
    }
    return { kind: "vnode", vnode, hasAttributes: this.#hasAttributes }
  }

  #attribute(known: KnownAttribute): Step {
    switch (known.form) {
      case "u8":
        return this.#cursor.needs(2, "an attribute") ? dry : this.#set(known, this.#window.u8(1), 2)
      case "u16":
        return this.#cursor.needs(3, "an attribute") ? dry : this.#set(known, this.#window.u16(1), 3)
      case "i16":
        return this.#cursor.needs(3, "an attribute") ? dry : this.#set(known, (this.#window.u16(1) << 16) >> 16, 3)
      case "u32":
        return this.#cursor.needs(5, "an attribute") ? dry : this.#set(known, this.#window.u32(1), 5)
      case "i32":
        return this.#cursor.needs(5, "an attribute") ? dry : this.#set(known, this.#window.u32(1) | 0, 5)
      case "ignored":
        return this.#cursor.needs(5, "an attribute") ? dry : this.#pass(5)
      case "text":
        return this.#text(known)
      case "words":
        return this.#words(known)
    }
  }

  #set(known: KnownAttribute, value: unknown, size: number): typeof more {
    this.#fields[known.key] = value
    return this.#pass(size)
  }

  /** Goes over an attribute that is done with. */
  #pass(size: number): typeof more {
    this.#critical = false
    this.#window.advance(size)
    return more
  }

  /** What does not fit into the field is cut, as OpenAFS does. */
  #text(known: KnownAttribute): Step {
    for (;;) {
      const nul = this.#window.indexOfNul(1, known.room)
      if (nul >= 0) return this.#set(known, this.#latin1(nul), nul + 2)
      const have = this.#window.available
      if (have > known.room) break
      if (this.#cursor.needs(have + 1, "the end of a text")) return dry
    }
    this.#cursor.notice(`${tagName(known.tag)}: text cut to ${known.room - 1} bytes`)
    this.#cursor.skipText()
    return this.#set(known, this.#latin1(known.room - 1), known.room)
  }

  #latin1(length: number): string {
    const bytes = this.#window.peek(1, length)
    return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString("latin1")
  }

  #words(known: KnownAttribute): Step {
    if (this.#cursor.needs(3, "an attribute")) return dry
    const count = this.#window.u16(1)
    if (count > known.countMax) throw this.#cursor.error(`${count} values`, `at most ${known.countMax}`, 1)
    if (known.countMax < 0xffff && count < known.room)
      throw this.#cursor.error(`${count} values`, `at least ${known.room}`, 1)
    const kept = Math.min(count, known.room)
    if (this.#cursor.needs(3 + 4 * kept, "an attribute")) return dry
    const values = Array.from({ length: known.room }, (_, index) =>
      index < kept ? this.#window.u32(3 + 4 * index) : 0,
    )
    this.#cursor.skip(4 * (count - kept))
    return this.#set(known, values, 3 + 4 * kept)
  }

  #accessList(): Step {
    if (this.#cursor.needs(1 + accessListSize, "access list")) return dry
    const area = new Uint8Array(this.#window.peek(1, accessListSize))
    const fault = findAccessListFault(area, "dump")
    if (fault !== undefined) throw this.#cursor.error(`access list with ${fault.found}`, fault.wanted, 1 + fault.offset)
    turnAccessList(area, "dump")
    this.#fields["accessList"] = area
    return this.#pass(1 + accessListSize)
  }

  #data(tag: number): Step {
    const size = tag === dataTag ? 5 : 9
    if (this.#cursor.needs(size, "length of file data")) return dry
    const length = tag === dataTag ? this.#window.u32(1) : this.#window.u32(1) * 2 ** 32 + this.#window.u32(5)
    if (!Number.isSafeInteger(length)) throw this.#cursor.error(`file data of ${length} bytes`, "at most 2^53", 1)
    const vnode = this.#vnode
    if (vnode === undefined || vnode.dataLength !== undefined) {
      this.#cursor.notice(`vnode ${vnode?.vnode}: second file data of ${length} bytes left out`)
      this.#cursor.skip(length)
      return this.#pass(size)
    }
    this.#fields["dataLength"] = length
    this.#cursor.beginData(length)
    this.#pass(size)
    return { kind: "data", vnode, length }
  }

  /** Passes over an attribute by its number: streams may carry more than this version knows. */
  #unknown(tag: number): Step {
    if (tag === criticalTag) {
      this.#pass(1)
      this.#critical = true
      return more
    }
    if (this.#critical) throw this.#cursor.error(`unknown ${tagName(tag)} marked as critical`)
    if (tag >= 0x80) throw this.#cursor.error(`unknown ${tagName(tag)}`, "a tag below 0x80")
    if (irregularTags.has(tag)) throw this.#cursor.error(`${tagName(tag)} outside its section`)
    if (tag > 0x60 && tag <= 0x7a) return this.#cursor.needs(5, "an attribute") ? dry : this.#passUnknown(tag, 5, 0)
    return tag > 0x7a ? this.#passUnknown(tag, 1, 0) : this.#unknownLong(tag)
  }

  #unknownLong(tag: number): Step {
    if (this.#cursor.needs(2, "an attribute")) return dry
    const first = this.#window.u8(1)
    if (first < 0x80) return this.#passUnknown(tag, 2, first)
    const bytes = first & 0x7f
    if (bytes > lengthBytesMax) throw this.#cursor.error(`a length of ${bytes} bytes`, `at most ${lengthBytesMax}`, 1)
    if (this.#cursor.needs(2 + bytes, "an attribute")) return dry
    let length = 0
    for (let index = 0; index < bytes; index++) length = length * 256 + this.#window.u8(2 + index)
    if (!Number.isSafeInteger(length)) throw this.#cursor.error(`${tagName(tag)} of ${length} bytes`, "at most 2^53", 1)
    return this.#passUnknown(tag, 2 + bytes, length)
  }

  #passUnknown(tag: number, size: number, valueSize: number): typeof more {
    this.#cursor.notice(`unknown ${tagName(tag)} left out`)
    this.#cursor.skip(valueSize)
    return this.#pass(size)
  }
}
