/**
 * The kernel's table of held locks, `/proc/locks`, and the name by which it calls a file there. The table is a snapshot
 * taken in pieces: good for saying who holds a lock, never for deciding whether one may be had.
 */
import type { DiskFile } from "../disk/disk.ts"
import { nodeDisk } from "../disk/node-disk.ts"
import type { LockType } from "./record-lock.ts"

/** `record`: fcntl's classic lock, of a process; `description`: fcntl's lock of an open file description; `flock`. */
export type LockKind = "record" | "description" | "flock"

/** A file as `/proc/locks` names it. */
export interface KernelFile {
  /** Device of the file system, major:minor in hexadecimal; not always the `st_dev` of stat(2). */
  readonly device: string
  readonly inode: string
}

/** One lock that is held. */
export interface KernelLock extends KernelFile {
  readonly kind: LockKind
  readonly type: LockType
  /** Process that holds it; -1 for a lock of an open file description. */
  readonly pid: number
  readonly first: number
  /** Last byte, inclusive; Infinity for a lock to the end of the file, wherever that may come to be. */
  readonly last: number
}

const line =
  /^\d+:\s+(POSIX|OFDLCK|FLOCK)\s+\S+\s+(READ|WRITE)\s+(-?\d+)\s+([0-9a-f]+:[0-9a-f]+):(\d+)\s+(\d+)\s+(\d+|EOF)\s*$/
const kinds: Readonly<Record<string, LockKind>> = { POSIX: "record", OFDLCK: "description", FLOCK: "flock" }

function parseLine(text: string): KernelLock | undefined {
  const [, kind = "", type, pid, device = "", inode = "", first, last] = line.exec(text) ?? []
  const known = kinds[kind]
  if (known === undefined) return undefined
  return {
    kind: known,
    type: type === "WRITE" ? "write" : "read",
    pid: Number(pid),
    device,
    inode,
    first: Number(first),
    last: last === "EOF" ? Number.POSITIVE_INFINITY : Number(last),
  }
}

/** The locks in the text of `/proc/locks` or of a process's `fdinfo`. Those still waited for (`->`), leases and delegations are left out. */
export function parseKernelLocks(text: string): KernelLock[] {
  const found: KernelLock[] = []
  for (const row of text.split("\n")) {
    const lock = parseLine(row.startsWith("lock:") ? row.slice(5).trimStart() : row)
    if (lock !== undefined) found.push(lock)
  }
  return found
}

/** All locks held on this machine by processes that this one can see. None where the kernel keeps no such table. */
export function readKernelLocks(): KernelLock[] {
  return parseKernelLocks(Buffer.from(nodeDisk.readFile("/proc/locks") ?? []).toString("latin1"))
}

/** `fe:00` for the number that stat(2) gives a device. */
export function deviceName(number: bigint): string {
  const major = ((number >> 8n) & 0xfffn) | ((number >> 32n) & 0xffff_f000n)
  const minor = (number & 0xffn) | ((number >> 12n) & 0xffff_ff00n)
  return [major, minor].map((part) => part.toString(16).padStart(2, "0")).join(":")
}

/** Device of a mount as `/proc/self/mountinfo` gives it: that of the file system, also where stat(2) names a part of one. */
function mountDevice(mount: string): string | undefined {
  const text = Buffer.from(nodeDisk.readFile("/proc/self/mountinfo") ?? []).toString("latin1")
  const row = text.split("\n").find((one) => one.startsWith(`${mount} `))
  const [major, minor] = row?.split(" ")[2]?.split(":") ?? []
  if (major === undefined || minor === undefined) return undefined
  return [major, minor].map((part) => Number(part).toString(16).padStart(2, "0")).join(":")
}

/** How `/proc/locks` names the file that is open here; undefined on a disk that the kernel does not know. */
export function kernelFile(file: DiskFile): KernelFile | undefined {
  if (file.descriptor < 0) return undefined
  const facts = Buffer.from(nodeDisk.readFile(`/proc/self/fdinfo/${file.descriptor}`) ?? []).toString("latin1")
  const mount = /^mnt_id:\s*(\d+)$/m.exec(facts)?.[1]
  const [device = "0", inode = "0"] = file.stat().identity.split(":")
  return {
    device: (mount === undefined ? undefined : mountDevice(mount)) ?? deviceName(BigInt(device)),
    inode: /^ino:\s*(\d+)$/m.exec(facts)?.[1] ?? inode,
  }
}

/** True if both name one file. */
export function isSameFile(one: KernelFile, other: KernelFile): boolean {
  return one.inode === other.inode && one.device === other.device
}
