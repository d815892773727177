/**
 * What all attached volumes of a fileserver share: open files, vnodes and directory images in core, each within a limit. One
 * object per fileserver.
 */
import { nodeDisk } from "../disk/node-disk.ts"
import { OpenFileCache } from "../disk/open-file-cache.ts"
import { DirectoryCache, VnodeCache } from "../vnode/vnode-cache.ts"
import type { PackageLog } from "./package-context.ts"
import { type StoreSlack, usualSlack } from "./volume-usage.ts"

/**
 * When changes reach the platter. `never`: when the kernel likes. `onclose`: what was changed is synced when its file is closed,
 * at the latest when the volume goes offline. `always`: before the reply. OpenAFS's `-sync`.
 */
export type ServingSync = "never" | "onclose" | "always"

export interface ServingLimits {
  /** Open files of volumes: indexes, link tables, VolumeInfo. */
  readonly volumeFiles: number
  /** Open data files of vnodes. */
  readonly dataFiles: number
  /** Vnodes in core, about half a kilobyte each. */
  readonly vnodes: number
  /** Bytes of directory pages in core. */
  readonly directoryBytes: number
}

/** Descriptors left to sockets, logs, lock files, and files that are open for a moment. */
const otherDescriptors = 256
/** More would save nothing: so many files are not in use at the same time. */
const filesMax = 8192
/** Where the kernel does not tell: the soft limit that most systems begin with. */
const usualDescriptors = 1024
const defaultVnodes = 16_384
const defaultDirectoryBytes = 64 << 20

/** Limits that fit into the descriptors this process may have. */
export function defaultLimits(descriptors = descriptorLimit()): ServingLimits {
  const files = Math.max(0, Math.min(descriptors - otherDescriptors, 2 * filesMax))
  const half = Math.floor(files / 2)
  return { volumeFiles: half, dataFiles: half, vnodes: defaultVnodes, directoryBytes: defaultDirectoryBytes }
}

/** `ulimit -n` of this process: Node has raised it to the hard limit at its start. */
function descriptorLimit(): number {
  const limits = Buffer.from(nodeDisk.readFile("/proc/self/limits") ?? []).toString("latin1")
  const soft = /^Max open files\s+(\d+)/m.exec(limits)?.[1]
  return soft === undefined ? usualDescriptors : Number(soft)
}

export class ServingCaches {
  readonly sync: ServingSync
  readonly slack: StoreSlack
  readonly volumeFiles: OpenFileCache
  readonly dataFiles: OpenFileCache
  readonly vnodes: VnodeCache
  readonly directories: DirectoryCache
  /** Hears of a volume whose files a change left half-way: it serves nothing any more, and needs a salvage. */
  readonly onBroken: (volume: number, error: Error) => void
  /** Runs work when what was answered in this turn is on its way; undefined: nothing is left for then. */
  readonly later: ((work: () => void) => void) | undefined

  constructor(options: {
    readonly log: PackageLog
    readonly sync?: ServingSync | undefined
    readonly slack?: StoreSlack | undefined
    readonly limits?: ServingLimits | undefined
    readonly onBroken?: (volume: number, error: Error) => void
    readonly later?: ((work: () => void) => void) | undefined
  }) {
    const { log, sync = "onclose", slack = usualSlack, limits = defaultLimits(), onBroken = () => {} } = options
    const syncFailed = (err: unknown, path: string): void =>
      log.error({ err, path }, "a file that is closed cannot be synced")
    this.sync = sync
    this.slack = slack
    this.volumeFiles = new OpenFileCache(limits.volumeFiles, syncFailed)
    this.dataFiles = new OpenFileCache(limits.dataFiles, syncFailed)
    this.vnodes = new VnodeCache(limits.vnodes)
    this.directories = new DirectoryCache(limits.directoryBytes)
    this.onBroken = onBroken
    this.later = options.later
  }

  /** Resolves when what was closed until now is as safe as it is to be. */
  async closed(): Promise<void> {
    await Promise.all([this.volumeFiles.closed(), this.dataFiles.closed()])
  }
}
