/**
 * A disk that ends at a change of our choice: it counts every call that changes anything (write, truncate, create,
 * unlink, mkdir, rmdir, rename, link, owner, mode; not fsync) and at the nth lets the world end, or fails that call once.
 * Running a piece of work again and again with n = 1, 2, 3 ... visits every state that a crash can leave behind.
 */
import { type Disk, DiskError, type DiskFile, type DiskStat, type OpenMode } from "../../common/disk/disk.ts"
import { nodeDisk } from "../../common/disk/node-disk.ts"

/** What happens at the nth change. */
export type Cut =
  /** The change and every call after it but closing throw DiskCut. */
  | { readonly at: number; readonly how: "throw"; readonly torn?: boolean }
  /** The process kills itself with SIGKILL instead of making the change. */
  | { readonly at: number; readonly how: "kill"; readonly torn?: boolean }
  /** The change fails with a DiskError of this errno; with `lasting`, so does every later one but unlink and rmdir. */
  | { readonly at: number; readonly how: "ENOSPC" | "EIO" | "EDQUOT"; readonly lasting?: boolean }

/** Thrown for ever after the cut. Deliberately not a DiskError: nobody may take it for a failed call and go on. */
export class DiskCut extends Error {
  override readonly name = "DiskCut"
}

/** The disk, and what was done to it. */
export interface CutDisk extends Disk {
  /** Changes so far, the failed one included. */
  readonly changes: number
  /** Each change in words, in order: `write AFSIDat/... at 64 (256 bytes)`. */
  readonly history: readonly string[]
  /** True once the cut has come. */
  readonly isCut: boolean
}

/** Frees space, so that it succeeds on a full disk. */
const frees = /^(unlink|rmdir)$/

class Guard {
  readonly #cut: Cut | undefined
  readonly #onChange: (words: string) => void
  readonly history: string[] = []
  #over = false

  constructor(cut: Cut | undefined, onChange: (words: string) => void) {
    this.#cut = cut
    this.#onChange = onChange
  }

  get isCut(): boolean {
    return this.#over
  }

  /** For calls that change nothing. */
  look<T>(work: () => T): T {
    if (this.#over && this.#cut?.how === "throw") throw new DiskCut("the disk was cut off")
    return work()
  }

  /** For calls that change something; `torn` makes a part of the change, where there are parts. */
  change<T>(call: string, path: string, work: () => T, torn?: () => void): T {
    this.look(() => {})
    this.history.push(`${call} ${path}`)
    this.#onChange(`${call} ${path}`)
    const cut = this.#cut
    if (cut === undefined || this.history.length < cut.at) return work()
    if (cut.how === "throw" || cut.how === "kill") return this.#end(cut, torn)
    const isDue = this.history.length === cut.at || (cut.lasting === true && !frees.test(call))
    if (!isDue) return work()
    this.#over = true
    const cause = Object.assign(new Error(`${cut.how} (on purpose)`), { code: cut.how })
    throw new DiskError(call, path, cause)
  }

  #end(cut: Extract<Cut, { how: "throw" | "kill" }>, torn: (() => void) | undefined): never {
    this.#over = true
    if (cut.torn === true) torn?.()
    if (cut.how === "kill") process.kill(process.pid, "SIGKILL")
    throw new DiskCut(`the disk was cut off at change ${this.history.length}: ${this.history.at(-1)}`)
  }
}

class CutFile implements DiskFile {
  readonly #file: DiskFile
  readonly #guard: Guard

  constructor(file: DiskFile, guard: Guard) {
    this.#file = file
    this.#guard = guard
  }

  get path(): string {
    return this.#file.path
  }

  get descriptor(): number {
    return this.#file.descriptor
  }

  read(into: Uint8Array, position: number): number {
    return this.#guard.look(() => this.#file.read(into, position))
  }

  readSome(into: Uint8Array, position: number): number {
    return this.#guard.look(() => this.#file.readSome(into, position))
  }

  write(bytes: Uint8Array, position: number): void {
    this.#guard.change(
      `write at ${position} (${bytes.length} bytes)`,
      this.path,
      () => this.#file.write(bytes, position),
      () => this.#file.write(bytes.subarray(0, bytes.length >> 1), position),
    )
  }

  truncate(size: number): void {
    this.#guard.change(`truncate to ${size}`, this.path, () => this.#file.truncate(size))
  }

  stat(): DiskStat {
    return this.#guard.look(() => this.#file.stat())
  }

  setOwner(uid: number, gid: number): void {
    this.#guard.change(`chown ${uid}:${gid}`, this.path, () => this.#file.setOwner(uid, gid))
  }

  setMode(mode: number): void {
    this.#guard.change(`chmod ${mode.toString(8)}`, this.path, () => this.#file.setMode(mode))
  }

  sync(): void {
    this.#guard.look(() => this.#file.sync())
  }

  async syncLater(): Promise<void> {
    await this.#guard.look(() => this.#file.syncLater())
  }

  readReady(into: Uint8Array, position: number): number | undefined {
    return this.#guard.look(() => this.#file.readReady(into, position))
  }

  async readLater(into: Uint8Array, position: number): Promise<number> {
    return await this.#guard.look(() => this.#file.readLater(into, position))
  }

  async writeLater(bytes: Uint8Array, position: number): Promise<void> {
    const call = `write at ${position} (${bytes.length} bytes)`
    const half = (): void => this.#file.write(bytes.subarray(0, bytes.length >> 1), position)
    await this.#guard.change(call, this.path, () => this.#file.writeLater(bytes, position), half)
  }

  close(): void {
    this.#file.close()
  }

  [Symbol.dispose](): void {
    this.close()
  }
}

/**
 * A disk that counts its changes, and ends as `cut` says; without it nothing happens but the counting. `onChange` is told
 * of each before it is made.
 */
export function cutDisk(
  cut?: Cut,
  disk: Disk = nodeDisk,
  onChange: (words: string) => void = () => undefined,
): CutDisk {
  const guard = new Guard(cut, onChange)
  const open = (path: string, mode: OpenMode, permissions?: number): DiskFile => {
    const work = (): DiskFile => disk.open(path, mode, permissions)
    const makes = mode === "create" || (mode === "lock" && disk.stat(path) === undefined)
    return new CutFile(makes ? guard.change("create", path, work) : guard.look(work), guard)
  }
  return {
    get changes() {
      return guard.history.length
    },
    get history() {
      return guard.history
    },
    get isCut() {
      return guard.isCut
    },
    open,
    stat: (path) => guard.look(() => disk.stat(path)),
    readFile: (path) => guard.look(() => disk.readFile(path)),
    list: (path) => guard.look(() => disk.list(path)),
    mkdir: (path, permissions) => guard.change("mkdir", path, () => disk.mkdir(path, permissions)),
    rmdir: (path) => guard.change("rmdir", path, () => disk.rmdir(path)),
    unlink: (path) => guard.change("unlink", path, () => disk.unlink(path)),
    rename: (from, to) => guard.change(`rename to ${to} of`, from, () => disk.rename(from, to)),
    link: (existing, name) => guard.change(`link to ${existing} at`, name, () => disk.link(existing, name)),
    symlink: (target, path) => guard.change(`symlink to ${target} at`, path, () => disk.symlink(target, path)),
    readLink: (path) => guard.look(() => disk.readLink(path)),
    syncDirectory: (path) => guard.look(() => disk.syncDirectory(path)),
    space: (path) => guard.look(() => disk.space(path)),
  }
}

/**
 * Does `work` with a disk that is cut at its 1st, 2nd, 3rd ... change, until a run gets through uncut; `check` looks at
 * what each cut run left. Both get the number of the change. Returns how many cuts there were.
 * @throws whatever `work` throws that does not come from the cut, and whatever `check` throws.
 */
export async function atEveryCut(
  work: (disk: CutDisk, at: number) => void | Promise<void>,
  check: (at: number, cutAt: string) => void | Promise<void>,
  options: { readonly torn?: boolean; readonly every?: number; readonly disk?: Disk } = {},
): Promise<number> {
  const every = options.every ?? 1
  for (let cuts = 0; ; cuts++) {
    const at = 1 + cuts * every
    const disk = cutDisk({ at, how: "throw", torn: options.torn ?? false }, options.disk)
    try {
      await work(disk, at)
    } catch (error) {
      if (!disk.isCut) throw error
    }
    if (!disk.isCut) return cuts
    await check(at, disk.history.at(-1) ?? "")
  }
}

/** Locks belong to the process: their files stay open on the real disk whatever becomes of the other. */
export function locksAside(disk: Disk): Disk {
  const open: Disk["open"] = (path, mode, permissions) =>
    (/\.lock$/.test(path) ? nodeDisk : disk).open(path, mode, permissions)
  return new Proxy(disk, {
    get(target, name) {
      const member: unknown = name === "open" ? open : Reflect.get(target, name)
      return typeof member === "function" && name !== "open" ? member.bind(target) : member
    },
  })
}
