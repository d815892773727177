/**
 * The C library's functions that Node does not offer, through koffi: the only import of it. It is an optional dependency,
 * loaded when something first asks; whoever uses it works without it too, only slower. Everything here is a number: file
 * descriptors, lengths, addresses. Structures are laid out by the callers for 64-bit little-endian Linux.
 */
import { createRequire } from "node:module"
import { endianness } from "node:os"

/** A C function: integers and addresses in, an integer out. */
export type Native = (...values: number[]) => number

/** C types of arguments and results; `address` is a pointer. */
type NativeType = "int" | "uint" | "int64" | "address"

/** Status is not 0 if an error is reported on the descriptor: then it is not watched any more before `start`. */
type Ready = (status: number) => void

/** A descriptor that the event loop watches. Close it before the descriptor. */
export interface Watch {
  /** Replaces what is watched for. */
  start(events: WatchedEvents, ready: Ready): void
  close(): void
}

interface WatchedEvents {
  readonly readable: boolean
  readonly writable: boolean
}

export interface Libc {
  /** A function by its name. @throws Error if there is none */
  find(name: string, result: NativeType, values: readonly NativeType[]): Native
  /** Of the last call that failed: read it at once. */
  errno(): number
  /** Where bytes lie in memory: true as long as their buffer is referenced, for buffers do not move. */
  addressOf(bytes: Uint8Array): number
  /**
   * Watches a descriptor in the event loop, without a thread. `ready` runs outside of Node's callbacks: promises that it
   * settles go on only after the next one of those, an immediate for example.
   */
  watch(descriptor: number, events: WatchedEvents, ready: Ready): Watch
}

/** What we use of koffi. */
interface Koffi {
  load(path: null): { func(name: string, result: string, values: readonly string[]): Native }
  errno(): number
  address(value: Uint8Array): bigint
  readonly node: { poll(descriptor: number, events: WatchedEvents, ready: Ready): Watch }
}

const typeName = (type: NativeType): string => (type === "address" ? "uintptr" : type)

function load(): Libc {
  if (process.platform !== "linux" || endianness() !== "LE" || !["x64", "arm64"].includes(process.arch))
    throw new Error(`${process.platform} on ${process.arch} is not laid out for`)
  // No static import: the package may be absent. Its own types describe far more than these few calls.
  const koffi = createRequire(import.meta.url)("koffi") as Koffi
  const library = koffi.load(null)
  return {
    find: (name, result, values) => library.func(name, typeName(result), values.map(typeName)),
    errno: () => koffi.errno(),
    addressOf: (bytes) => Number(koffi.address(bytes)),
    watch: (descriptor, events, ready) => koffi.node.poll(descriptor, events, ready),
  }
}

let loaded: { readonly libc: Libc | undefined; readonly reason: string } | undefined

function attempt(): { readonly libc: Libc | undefined; readonly reason: string } {
  try {
    return { libc: load(), reason: "" }
  } catch (error) {
    const text = error instanceof Error ? error.message : String(error)
    return { libc: undefined, reason: text.split("\n")[0] ?? text }
  }
}

/** The C library, or undefined where it cannot be had. */
export function openLibc(): Libc | undefined {
  loaded ??= attempt()
  return loaded.libc
}

/** Why `openLibc` gives nothing; empty if it does. */
export function libcAbsence(): string {
  openLibc()
  return loaded?.reason ?? ""
}
