/**
 * Reads that never wait: preadv2(2) with RWF_NOWAIT gives what lies in the page cache and refuses the rest, where the file
 * system can tell (ext4, xfs, btrfs and most others of Linux; tmpfs cannot and need not).
 */
import { constants } from "node:os"
import { type Libc, openLibc } from "../system/libc.ts"

const { EOPNOTSUPP, ENOSYS, EINVAL } = constants.errno

/** `pending`: some of it would have to be waited for. `unknown`: nobody can tell, now or later. */
type ReadyAnswer = number | "pending" | "unknown"

/** Fills `into` from `position` on; less only at the end of the file. A read that fails is `pending`: who waits for it hears why. */
export type ReadyRead = (descriptor: number, into: Uint8Array, position: number) => ReadyAnswer

/** Linux: fail with EAGAIN rather than wait. */
const readNoWait = 8
const iovecSize = 16
const wordSpan = 2 ** 32

function makeReadyRead(libc: Libc): ReadyRead {
  const preadv2 = libc.find("preadv2", "int64", ["int", "address", "int", "int64", "int"])
  const iovec = new ArrayBuffer(iovecSize)
  const iovecAddress = libc.addressOf(new Uint8Array(iovec))
  const words = new Uint32Array(iovec)
  const readOnce = (descriptor: number, address: number, length: number, position: number): number => {
    words[0] = address
    words[1] = address / wordSpan
    words[2] = length
    words[3] = length / wordSpan
    return preadv2(descriptor, iovecAddress, 1, position, readNoWait)
  }
  return (descriptor, into, position) => {
    const address = libc.addressOf(into)
    let done = 0
    while (done < into.length) {
      const count = readOnce(descriptor, address + done, into.length - done, position + done)
      if (count === 0) break
      // What V8 does between two calls may leave an errno of its own, even 0: it must never pass for the end of the file.
      if (count < 0) return cannotTell(libc.errno()) ? "unknown" : "pending"
      done += count
    }
    return done
  }
}

/** A kernel or file system without the flag says so. */
const cannotTell = (errno: number): boolean => errno === EOPNOTSUPP || errno === ENOSYS || errno === EINVAL

let known: ReadyRead | undefined

function make(): ReadyRead {
  const libc = openLibc()
  try {
    if (libc !== undefined) return makeReadyRead(libc)
  } catch {
    // A C library without preadv2 cannot tell either.
  }
  return () => "unknown"
}

/** Asks the kernel; says `unknown` to everything where it cannot be asked. */
export const readyRead: ReadyRead = (descriptor, into, position) => {
  known ??= make()
  return known(descriptor, into, position)
}
