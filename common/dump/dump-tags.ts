/**
 * The volume dump stream: sections, attributes and their tags, each declared once. All integers are big-endian; there is no
 * padding. OpenAFS volser/dump.h, volser/dumpstuff.c; docs/formats/dump.md.
 *
 *     stream  = dump header, then (volume header, vnode*)+, then end
 *     section = section tag 1..4, fixed part, then attributes: tag above 20, value
 */

/** Tags that begin a section. */
export const dumpSections = { dumpHeader: 1, volumeHeader: 2, vnode: 3, end: 4 } as const
/** Tags up to this one begin a section, above they begin an attribute. */
export const sectionTagMax = 20
/** Part of the format. */
export const dumpBeginMagic = 0xb3a1_1322
export const dumpEndMagic = 0x3a21_4b6e
export const dumpVersion = 1
/** Bytes of the end section. */
export const dumpEndSize = 5
/** Vnode numbers above have no room in a data file's name (common/partition/inode-number.ts). */
export const vnodeNumberMax = 2 ** 26 - 1

/** How an attribute's value lies in the stream. `text` ends with a NUL; `words` is a u16 count and so many u32. */
type AttributeForm = "u8" | "u16" | "i16" | "u32" | "i32" | "text" | "words" | "ignored"

/** One attribute. `T` is its TypeScript type. */
export interface Attribute<T> {
  readonly tag: number
  readonly form: AttributeForm
  /** For text: bytes of the field it is kept in, NUL included. For words: how many are kept. */
  readonly room: number
  /** For words: most that a stream may have. */
  readonly countMax: number
  /** Never set: carries T for the compiler. */
  readonly type?: T
}

function attribute<T>(letter: string, form: AttributeForm, room = 0, countMax = 0): Attribute<T> {
  return { tag: letter.charCodeAt(0), form, room, countMax }
}
const u8 = (letter: string) => attribute<number>(letter, "u8")
const u16 = (letter: string) => attribute<number>(letter, "u16")
const i16 = (letter: string) => attribute<number>(letter, "i16")
const u32 = (letter: string) => attribute<number>(letter, "u32")
const i32 = (letter: string) => attribute<number>(letter, "i32")
const text = (letter: string, room: number) => attribute<string>(letter, "text", room)
const words = (letter: string, room: number, countMax: number) =>
  attribute<readonly number[]>(letter, "words", room, countMax)

/** In the order in which they are written, like all tables here. */
export const dumpHeaderAttributes = {
  /** Id of the dumped volume. */
  volume: u32("v"),
  name: text("n", 32),
  /** From, to; OpenAFS has room for 50 such pairs and looks at the first. */
  dates: words("t", 2, 100),
} as const

/** Named as in VolumeInfo (common/volume/volume-info.ts), signed where that is signed. */
export const volumeHeaderAttributes = {
  id: u32("i"),
  stampVersion: u32("v"),
  name: text("n", 32),
  inService: u8("s"),
  blessed: u8("b"),
  uniquifier: u32("u"),
  /** `volumeTypes` number. */
  type: u8("t"),
  parentId: u32("p"),
  cloneId: u32("c"),
  maxquota: i32("q"),
  minquota: i32("m"),
  diskused: i32("d"),
  filecount: i32("f"),
  accountNumber: u32("a"),
  owner: u32("o"),
  creationDate: u32("C"),
  accessDate: u32("A"),
  updateDate: u32("U"),
  expirationDate: u32("E"),
  backupDate: u32("B"),
  offlineMessage: text("O", 128),
  /** Message of the day; always empty. */
  message: text("M", 128),
  weekUse: words("W", 7, 0xffff),
  dayUseDate: u32("D"),
  dayUse: i32("Z"),
} as const

/** Accepted in a volume header, never written. */
export const volumeUpdateCounter = attribute<never>("V", "ignored")

/** Named as in the vnode record (common/vnode/vnode-record.ts). Access list and data follow, see below. */
export const vnodeAttributes = {
  /** `vnodeTypes` number. */
  type: u8("t"),
  linkCount: i16("l"),
  dataVersion: u32("v"),
  unixModifyTime: u32("m"),
  author: u32("a"),
  owner: u32("o"),
  /** Written only if it is not 0. */
  group: i32("g"),
  mode: u16("b"),
  parent: u32("p"),
  serverModifyTime: u32("s"),
} as const

/** 192 bytes of access list, its list part in big-endian order. */
export const accessListTag = 0x41
/** u32 length and so many bytes of file data. */
export const dataTag = 0x66
/** The same with two u32 of length, the high one first: used from 4 GiB on. */
export const longDataTag = 0x68
/**
 * Tags up to 0x60 that break the rule by which unknown ones are skipped. Where they are unknown nobody can say how long they
 * are, and OpenAFS refuses them. (It skips `B` and `V` by the rule, although they break it too.)
 */
export const irregularTags: ReadonlySet<number> = new Set(Buffer.from("ACDEMOUWZ"))
/** Says that the stream cannot be understood without the attribute that follows. */
export const criticalTag = 0x7e

type Values<Table> = { readonly [K in keyof Table]: Table[K] extends Attribute<infer T> ? T : never }

/** What a dump says about itself. */
export interface DumpHeader {
  readonly version: number
  readonly volume: number
  readonly name: string
  /** The date asked for: vnodes changed since are in full; 0 in a full dump. Seconds since 1970. */
  readonly from: number
  /** State of the volume that was dumped. Seconds since 1970. */
  readonly to: number
}

/** Administration of the dumped volume. Texts are latin1: one character per byte. */
export type DumpVolumeHeader = Values<typeof volumeHeaderAttributes>

/** A vnode and, if it changed, its attributes. */
export interface DumpVnode extends Values<typeof vnodeAttributes> {
  readonly vnode: number
  readonly unique: number
  /** The 192 bytes as in the vnode record on disk, little-endian. */
  readonly accessList?: Uint8Array | undefined
  /** Bytes of file data in the stream; undefined if the vnode has no data file. */
  readonly dataLength?: number | undefined
}

/** Volume header with every field 0 or empty but those given. */
export function newDumpVolumeHeader(fields: Partial<DumpVolumeHeader> = {}): DumpVolumeHeader {
  return { ...emptyVolumeHeader, ...fields }
}

/** Vnode with every field 0 but those given. */
export function newDumpVnode(vnode: number, unique: number, fields: Partial<DumpVnode> = {}): DumpVnode {
  return { ...emptyVnode, ...fields, vnode, unique }
}

const emptyVolumeHeader: DumpVolumeHeader = {
  id: 0,
  stampVersion: 0,
  name: "",
  inService: 0,
  blessed: 0,
  uniquifier: 0,
  type: 0,
  parentId: 0,
  cloneId: 0,
  maxquota: 0,
  minquota: 0,
  diskused: 0,
  filecount: 0,
  accountNumber: 0,
  owner: 0,
  creationDate: 0,
  accessDate: 0,
  updateDate: 0,
  expirationDate: 0,
  backupDate: 0,
  offlineMessage: "",
  message: "",
  weekUse: [0, 0, 0, 0, 0, 0, 0],
  dayUseDate: 0,
  dayUse: 0,
}

const emptyVnode: DumpVnode = {
  vnode: 0,
  unique: 0,
  type: 0,
  linkCount: 0,
  dataVersion: 0,
  unixModifyTime: 0,
  author: 0,
  owner: 0,
  group: 0,
  mode: 0,
  parent: 0,
  serverModifyTime: 0,
  accessList: undefined,
  dataLength: undefined,
}
