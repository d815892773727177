/** An attached volume on a small partition, and the clients' work on it in few words. */
import { join } from "node:path"
import type { ExecutionContext } from "ava"
import type { Partition } from "../../common/partition/partition.ts"
import type { Vnode } from "../../common/vnode/vnode.ts"
import { attachVolume } from "../../common/volume/attach.ts"
import { AttachedVolume, type NewVnode, type StoreRequest } from "../../common/volume/attached-volume.ts"
import type { PackageLog } from "../../common/volume/package-context.ts"
import { ServingCaches, type ServingLimits, type ServingSync } from "../../common/volume/serving-caches.ts"
import type { Tree } from "./dump-builder.ts"
import { temporaryDirectory } from "./temporary-directory.ts"
import { newPartition, volumeOf } from "./volume-builder.ts"

/** Seconds since 1970 that changes are made at, unless a test says otherwise. */
export const now = 1_800_000_100
export const by = { author: 1001, now }

const silent: PackageLog = { debug() {}, info() {}, warn() {}, error() {} }

export function testCaches(
  options: {
    readonly limits?: Partial<ServingLimits>
    readonly sync?: ServingSync
    readonly later?: (work: () => void) => void
  } = {},
): ServingCaches {
  const limits = { volumeFiles: 64, dataFiles: 64, vnodes: 256, directoryBytes: 1 << 20, ...options.limits }
  return new ServingCaches({ log: silent, limits, sync: options.sync ?? "never", later: options.later })
}

export const nameOf = (text: string): Uint8Array => new Uint8Array(Buffer.from(text))

export function newVnode(fields: Partial<NewVnode> = {}): NewVnode {
  return { owner: 1001, group: undefined, author: 1001, mode: 0o644, clientModTime: now, now, ...fields }
}

/** An attached volume, and what tests do with it. */
export class TestVolume {
  readonly partition: Partition
  readonly id: number
  readonly caches: ServingCaches
  #attached: AttachedVolume

  constructor(partition: Partition, id: number, caches: ServingCaches = testCaches()) {
    this.partition = partition
    this.id = id
    this.caches = caches
    this.#attached = this.#attach()
  }

  get volume(): AttachedVolume {
    return this.#attached
  }

  get root(): Vnode {
    return this.#attached.vnode(1, 1)
  }

  /** Closes it as a fileserver does when it gives a volume away: out of use on disk. */
  detach(): void {
    this.#attached.close()
    this.#attached.attachment.write(this.partition, { inUse: 0 })
  }

  attachAgain(): void {
    this.#attached = this.#attach()
  }

  /** Detaches and attaches again: nothing is left in core. */
  reopen(): void {
    this.detach()
    this.attachAgain()
  }

  /** The vnode at a path like `a/b`. */
  at(path: string): Vnode {
    let vnode = this.root
    for (const name of path.split("/").filter((part) => part !== "")) {
      const id = this.volume.lookup(vnode, nameOf(name))
      if (id === undefined) throw new Error(`there is no ${name} in ${path}`)
      vnode = this.volume.vnode(id.vnode, id.unique)
    }
    return vnode
  }

  /** Makes a file with this content. */
  put(directory: Vnode, name: string, content: string | Uint8Array = ""): Vnode {
    const file = this.volume.createFile(directory, nameOf(name), newVnode())
    const bytes = Buffer.from(content)
    if (bytes.length > 0) this.store(file, { length: bytes.length, fileLength: bytes.length }, bytes)
    return file
  }

  /** A StoreData that ends in one turn. */
  store(file: Vnode, request: Partial<StoreRequest>, bytes: Uint8Array = new Uint8Array(0)): void {
    const store = this.volume.beginStore(file, storeOf(request))
    if (store instanceof Promise) throw new Error("the file is too large for one turn")
    using storing = store
    if (bytes.length > 0) storing.write(bytes)
    storing.end()
  }

  content(vnode: Vnode): Buffer {
    const bytes = Buffer.alloc(vnode.length)
    return bytes.subarray(0, this.volume.read(vnode, bytes, 0))
  }

  text(vnode: Vnode): string {
    return this.content(vnode).toString()
  }

  #attach(): AttachedVolume {
    const outcome = attachVolume(this.partition, this.id, () => {})
    if (outcome.kind !== "attached") throw new Error(`volume ${this.id} is ${outcome.kind}`)
    return new AttachedVolume(this.id, this.partition, outcome.attachment, this.caches)
  }
}

export function storeOf(request: Partial<StoreRequest>): StoreRequest {
  return { position: 0, length: 0, fileLength: 0, author: 1001, now, fsync: false, ...request }
}

/** A new volume with this content, attached. */
export async function attachedVolume(
  t: Pick<ExecutionContext, "teardown">,
  tree: Tree = {},
  options: { readonly caches?: ServingCaches; readonly quota?: number; readonly partition?: Partition } = {},
): Promise<TestVolume> {
  const partition = options.partition ?? newPartition(join(temporaryDirectory(t), "vicepa"))
  const id = await volumeOf(partition, "home", tree, { quota: options.quota ?? 0 })
  return new TestVolume(partition, id, options.caches)
}
