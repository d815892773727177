/**
 * Real partitions, written by OpenAFS 1.8.9, with the truth about them.
 *
 * Clean ones come with a manifest (what OpenAFS's own tools and client see) and with dumps made by `vos dump`. Damaged
 * ones are a sound base partition and a list of changes, with what is then wrong and what dasalvager makes of it.
 */
import {
  chmodSync,
  chownSync,
  closeSync,
  mkdirSync,
  openSync,
  renameSync,
  rmSync,
  truncateSync,
  unlinkSync,
  writeFileSync,
  writeSync,
} from "node:fs"
import { join, resolve, sep } from "node:path"
import { readImage, readPacked, unpackFolder } from "./folder-image.ts"
import { projectFile } from "./project.ts"

export const cleanFixtures = ["bigdir", "clones", "empty", "groups", "large", "names", "restored", "tree"] as const
/** A clean partition with a manifest. `large` has 6 GiB of apparent size and a few blocks on disk. */
export type CleanFixture = (typeof cleanFixtures)[number]

/** How owners are laid down: as OpenAFS keeps data in them (root only), or as a development partition. */
export type FixtureEncoding = "openafs" | "development"

/** An access list in a manifest. */
export interface ManifestAcl {
  readonly positive: readonly { readonly id: number; readonly rights: number }[]
  readonly negative: readonly { readonly id: number; readonly rights: number }[]
}

/** One used vnode as OpenAFS's tools and client see it. Names and paths are base64 of their bytes. */
export interface ManifestVnode {
  readonly vnode: number
  readonly unique: number
  readonly type: "dir" | "file" | "symlink"
  readonly length: number
  readonly dataVersion: number
  /** Octal. */
  readonly mode: string
  readonly linkCount: number
  readonly owner: number
  readonly group: number
  readonly author: number
  readonly parent: number
  readonly modTime: number
  readonly serverModTime: number
  readonly cloned: boolean
  /** The namei inode number, decimal. */
  readonly inode: string
  readonly path?: string
  /** Of a file's content; absent where the client could not read it. */
  readonly sha256?: string
  /** Of a symbolic link. */
  readonly target?: string
  readonly mountPoint?: boolean
  /** Of a directory. */
  readonly acl?: ManifestAcl
  /** Of a directory, sorted, without `.` and `..`; absent where the client could not list it. */
  readonly names?: readonly string[]
}

export interface ManifestVolume {
  readonly id: number
  readonly name: string
  readonly type: "RW" | "RO" | "BK"
  readonly parentId: number
  readonly cloneId: number
  readonly backupId: number
  readonly restoredFromId: number
  readonly maxQuota: number
  readonly minQuota: number
  readonly maxFiles: number
  readonly diskUsed: number
  readonly fileCount: number
  readonly creationDate: number
  readonly copyDate: number
  readonly backupDate: number
  readonly accessDate: number
  readonly updateDate: number
  readonly expirationDate: number
  readonly dayUseDate: number
  readonly dayUse: number
  readonly owner: number
  readonly accountNumber: number
  readonly uniquifier: number
  readonly volUpdateCounter: number
  readonly inUse: number
  readonly inService: number
  readonly blessed: number
  readonly needsSalvaged: number
  readonly destroyMe: number
  readonly dontSalvage: number
  readonly vnodes: readonly ManifestVnode[]
  /** Every path the client showed (all names of hard links), where it could list the volume. */
  readonly paths?: readonly { readonly path: string; readonly vnode: number }[]
}

export interface ManifestDump {
  /** `FIXTURE.VOLUME.dump.xz`, `FIXTURE.VOLUME.inc.dump.xz`: the file of `unpackDumps` is named without `.xz`. */
  readonly file: string
  readonly volume: string
  readonly kind: "full" | "incremental"
  /** Date an incremental dump starts from, seconds since 1970. */
  readonly from: number
  readonly length: number
  readonly sha256: string
}

export interface Manifest {
  readonly fixture: string
  readonly volumes: readonly ManifestVolume[]
  readonly dumps: readonly ManifestDump[]
}

type Content = { readonly hex: string } | { readonly base64: string } | { readonly text: string } | object

/** One change that damages a partition. Paths are relative to it. */
export type DamageOperation =
  | ({ readonly op: "patch"; readonly path: string; readonly at: number } & Content)
  | { readonly op: "truncate"; readonly path: string; readonly size: number }
  | { readonly op: "unlink" | "rmdir"; readonly path: string }
  | { readonly op: "rename"; readonly path: string; readonly to: string }
  | ({ readonly op: "mkdir" | "create" | "attr"; readonly path: string } & Owner & Content)

interface Owner {
  readonly mode?: string
  readonly uid?: number
  readonly gid?: number
}

/** A file, or other content, that one run of dasalvager lost or moved. */
export interface LostContent {
  readonly volume: number
  readonly path: string
  /** True if the bytes were still on the partition before the run. */
  readonly dataWasThere: boolean
  /** Where it was put instead (`/__ORPHANFILE__.156.94`). */
  readonly nowAt?: string
}

/** What one run of dasalvager did. Absent fields were not recorded. */
export interface SalvageRun {
  readonly stateSameAs?: string
  readonly problemsAfter?: readonly string[]
  readonly contentLost?: readonly LostContent[]
  readonly volumesLost?: readonly { readonly volume: number; readonly files: number; readonly why: string }[]
}

/** How dasalvager was run: `-force`, with `-orphans attach`, with `-orphans remove`, without any, with `-nowrite`, or by the fileserver. */
export type SalvageMode = "force" | "attach" | "remove" | "plain" | "nowrite" | "online"

export interface DamagedFixture {
  readonly name: string
  /** What is damaged, in words. */
  readonly title: string
  readonly operations: readonly DamageOperation[]
  /** What partition-state.ts finds in it, unreachable vnodes summed up per volume. */
  readonly problems: readonly string[]
  readonly runs: Readonly<Record<SalvageMode, SalvageRun>>
}

const fixtureFile = (...names: string[]): string => projectFile("test", "fixtures", ...names)

// The packed files are part of the repository: their shapes are the types above, checked once when they were packed.
const documents = <T>(file: string): Record<string, T> => readPacked(file) as Record<string, T>

/** OpenAFS's encoding for root, a development partition for everybody else. */
export const possibleEncoding: FixtureEncoding = process.geteuid?.() === 0 ? "openafs" : "development"

/**
 * Lays a partition down in `directory` (made if absent, must be empty): a clean fixture, or `base`, the sound partition
 * that the damaged ones start from.
 */
export function unpackFixture(
  name: CleanFixture | "base",
  directory: string,
  options: { readonly encoding?: FixtureEncoding } = {},
): void {
  const encoding = options.encoding ?? possibleEncoding
  unpackFolder(readImage(fixtureFile("partitions", `${name}.image.br`)), directory, { owners: encoding === "openafs" })
  if (encoding === "openafs") return
  mkdirSync(join(directory, ".dafs"), { mode: 0o700 })
  writeFileSync(join(directory, ".dafs", "development"), "", { mode: 0o600 })
}

/** The truth about a clean fixture. */
export function fixtureManifest(name: CleanFixture): Manifest {
  const manifest = documents<Manifest>(fixtureFile("manifests", `${name}.documents.br`))[name]
  if (manifest === undefined) throw new Error(`no manifest of ${name}`)
  return manifest
}

/** Lays the dumps of a clean fixture's volumes down in `directory`; see ManifestDump. Those of `large` are sparse. */
export function unpackDumps(name: CleanFixture, directory: string): void {
  unpackFolder(readImage(fixtureFile("dumps", `${name}.image.br`)), directory, { owners: false })
}

interface DeltaDocument {
  readonly title: string
  readonly ops: readonly DamageOperation[]
}

interface ExpectedDocument {
  readonly problems: readonly string[]
  readonly runs: Readonly<Record<SalvageMode, SalvageRun>>
}

let damaged: readonly DamagedFixture[] | undefined

/** All damaged partitions, by name. */
export function damagedFixtures(): readonly DamagedFixture[] {
  damaged ??= readDamaged()
  return damaged
}

function readDamaged(): DamagedFixture[] {
  const all = documents<unknown>(fixtureFile("damaged.documents.br"))
  return Object.keys(all)
    .filter((name) => !name.endsWith(".expected"))
    .sort()
    .map((name) => {
      const delta = all[name] as DeltaDocument
      const expected = all[`${name}.expected`] as ExpectedDocument
      return { name, title: delta.title, operations: delta.ops, problems: expected.problems, runs: expected.runs }
    })
}

/** One damaged partition. @throws Error for an unknown name. */
export function damagedFixture(name: string): DamagedFixture {
  const fixture = damagedFixtures().find((one) => one.name === name)
  if (fixture === undefined) throw new Error(`there is no damaged fixture ${name}`)
  return fixture
}

/** Lays a damaged partition down in `directory` (made if absent, must be empty). */
export function unpackDamaged(
  name: string,
  directory: string,
  options: { readonly encoding?: FixtureEncoding } = {},
): void {
  unpackFixture("base", directory, options)
  applyDamage(directory, damagedFixture(name).operations, options)
}

function contentOf(operation: object): Uint8Array {
  if ("hex" in operation) return Buffer.from(String(operation.hex), "hex")
  if ("base64" in operation) return Buffer.from(String(operation.base64), "base64")
  return Buffer.from("text" in operation ? String(operation.text) : "")
}

function inside(directory: string, path: string): string {
  const full = resolve(directory, path)
  if (!full.startsWith(resolve(directory) + sep)) throw new Error(`${path} leads out of the partition`)
  return full
}

function patch(path: string, at: number, bytes: Uint8Array): void {
  const descriptor = openSync(path, "r+")
  try {
    writeSync(descriptor, bytes, 0, bytes.length, at)
  } finally {
    closeSync(descriptor)
  }
}

/** Owners say something only where they are OpenAFS's. */
function setOwner(path: string, owner: Owner, encoding: FixtureEncoding): void {
  if (encoding === "development") return
  const unchanged = 0xffff_ffff
  chownSync(path, owner.uid ?? unchanged, owner.gid ?? unchanged)
  if (owner.mode !== undefined) chmodSync(path, Number.parseInt(owner.mode, 8))
}

/** Changes a partition as a damaged fixture's list says. */
export function applyDamage(
  directory: string,
  operations: readonly DamageOperation[],
  options: { readonly encoding?: FixtureEncoding } = {},
): void {
  const encoding = options.encoding ?? possibleEncoding
  for (const operation of operations) applyOperation(directory, operation, encoding)
}

function applyOperation(directory: string, operation: DamageOperation, encoding: FixtureEncoding): void {
  const path = inside(directory, operation.path)
  switch (operation.op) {
    case "patch":
      return patch(path, operation.at, contentOf(operation))
    case "truncate":
      return truncateSync(path, operation.size)
    case "unlink":
      return unlinkSync(path)
    case "rmdir":
      return rmSync(path, { recursive: true })
    case "rename":
      return renameSync(path, inside(directory, operation.to))
    case "mkdir":
      mkdirSync(path, { mode: 0o700 })
      return setOwner(path, operation, encoding)
    case "create":
      writeFileSync(path, contentOf(operation), { flag: "wx", mode: 0o600 })
      return setOwner(path, operation, encoding)
    case "attr":
      return setOwner(path, operation, encoding)
    default:
      throw new Error(`unknown change ${JSON.stringify(operation)}`)
  }
}
