/** A disk on which something happens whenever something is looked at: a file vanishes, or cannot be read. */
import type { Disk, DiskFile, OpenMode } from "../../common/disk/disk.ts"
import { nodeDisk } from "../../common/disk/node-disk.ts"

/** Told of every look before it is made; what it throws is what the look ends in. */
export type OnLook = (call: "stat" | "open" | "read" | "list", path: string) => void

/** Lock files are left alone. */
const isLock = (path: string): boolean => path.endsWith(".lock")

function lookFile(file: DiskFile, onLook: OnLook): DiskFile {
  const look = <Arguments extends unknown[], T>(call: "read" | "stat", work: (...args: Arguments) => T) => {
    return (...args: Arguments): T => {
      onLook(call, file.path)
      return work(...args)
    }
  }
  const looks: Partial<Record<PropertyKey, unknown>> = {
    read: look("read", (into: Uint8Array, position: number) => file.read(into, position)),
    readReady: look("read", (into: Uint8Array, position: number) => file.readReady(into, position)),
    readLater: look("read", (into: Uint8Array, position: number) => file.readLater(into, position)),
    stat: look("stat", () => file.stat()),
  }
  return new Proxy(file, {
    get(target, name) {
      const member: unknown = looks[name] ?? Reflect.get(target, name)
      return typeof member === "function" && looks[name] === undefined ? member.bind(target) : member
    },
  })
}

export function lookDisk(onLook: OnLook, disk: Disk = nodeDisk): Disk {
  return {
    ...disk,
    open(path: string, mode: OpenMode, permissions?: number) {
      if (isLock(path)) return disk.open(path, mode, permissions)
      if (mode === "read" || mode === "write" || mode === "path") onLook("open", path)
      return lookFile(disk.open(path, mode, permissions), onLook)
    },
    stat(path) {
      if (!isLock(path)) onLook("stat", path)
      return disk.stat(path)
    },
    readFile(path) {
      onLook("read", path)
      return disk.readFile(path)
    },
    list(path) {
      onLook("list", path)
      return disk.list(path)
    },
  }
}
