/** Who listens on a Unix socket: asked of /proc, for an error's text only. */
import type { Disk } from "../common/disk/disk.ts"

const decoder = new TextDecoder()

/** Inode number of the listening socket bound to `path`, from the kernel's table. */
function listenerInode(path: string, disk: Disk): string | undefined {
  const table = disk.readFile("/proc/net/unix")
  if (table === undefined) return undefined
  for (const line of decoder.decode(table).split("\n")) {
    // Num RefCount Protocol Flags Type St Inode Path; flag 0x10000 is "accepts connections"
    const [, , , flags, , , inode, ...name] = line.split(" ").filter((word) => word !== "")
    if (flags === "00010000" && inode !== undefined && name.join(" ") === path) return inode
  }
  return undefined
}

function holds(pid: string, inode: string, disk: Disk): boolean {
  try {
    const descriptors = disk.list(`/proc/${pid}/fd`) ?? []
    return descriptors.some(({ name }) => disk.stat(`/proc/${pid}/fd/${name}`)?.identity.endsWith(`:${inode}`) === true)
  } catch {
    return false // another user's process: not ours to look into
  }
}

/** Process id of the server on a socket; undefined where the kernel does not tell. */
export function socketHolder(path: string, disk: Disk): number | undefined {
  try {
    const inode = listenerInode(path, disk)
    if (inode === undefined) return undefined
    const pids = (disk.list("/proc") ?? []).map(({ name }) => name).filter((name) => /^\d+$/.test(name))
    const pid = pids.find((candidate) => holds(candidate, inode, disk))
    return pid === undefined ? undefined : Number(pid)
  } catch {
    return undefined
  }
}
