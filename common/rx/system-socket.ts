/**
 * A UDP socket by way of the C library: what node:dgram cannot set on its own. The numbers are those of Linux's generic ABI
 * (x86-64, arm64): sys/socket.h, netinet/in.h, linux/udp.h.
 */
import { constants } from "node:os"
import type { Libc } from "../system/libc.ts"
import { hostText, receiveBufferBytes } from "./datagram-port.ts"

const addressFamily = 2
const datagramType = 2
const nonBlocking = 0o4000
const closeOnExec = 0o2000000

const socketLevel = 1
const receiveBuffer = 8
const receiveBufferForce = 33
const ipLevel = 0
const mtuDiscover = 10
const neverDiscover = 0
const receiveErrors = 11
const udpLevel = 17

/** Socket options of level UDP that are also the types of its control messages. */
export const udpSegment = 103
export const udpGather = 104
/** The level of UDP's control messages. */
export const udpControlLevel = udpLevel

/** sockaddr_in. */
export const socketAddressSize = 16

/** Writes a sockaddr_in; family in the machine's order, port and address in the network's. */
export function writeSocketAddress(view: DataView, at: number, host: number, port: number): void {
  view.setUint16(at, addressFamily, true)
  view.setUint16(at + 2, port)
  view.setUint32(at + 4, host)
}

const errnoNames = new Map(Object.entries(constants.errno).map(([name, number]) => [number, name]))

/** A failed call as Node reports one. */
function failure(call: string, errno: number, where = ""): Error {
  const code = errnoNames.get(errno) ?? `errno ${errno}`
  return Object.assign(new Error(`${call} ${code}${where}`), { code, syscall: call, errno: -errno })
}

export interface SystemSocket {
  readonly descriptor: number
  readonly host: number
  readonly port: number
  close(): void
}

/** Sets an option to an int; 0 or the number of the error. */
function setOption(libc: Libc, descriptor: number, level: number, name: number, value: number): number {
  const setsockopt = libc.find("setsockopt", "int", ["int", "int", "int", "address", "uint"])
  const bytes = new Uint8Array(Int32Array.of(value).buffer)
  return setsockopt(descriptor, level, name, libc.addressOf(bytes), bytes.length) === 0 ? 0 : libc.errno()
}

/** @throws Error if the kernel cannot gather and segment */
function prepare(libc: Libc, descriptor: number): void {
  const set = (level: number, name: number, value: number): number => setOption(libc, descriptor, level, name, value)
  const errno = set(udpLevel, udpGather, 1) || set(udpLevel, udpSegment, 0)
  if (errno !== 0) throw failure("setsockopt", errno)
  // Only root may go beyond net.core.rmem_max; others get as much as that.
  if (set(socketLevel, receiveBufferForce, receiveBufferBytes) !== 0)
    set(socketLevel, receiveBuffer, receiveBufferBytes)
  // Larger datagrams go in fragments, as OpenAFS's do.
  set(ipLevel, mtuDiscover, neverDiscover)
  // Ports where nobody listens are told of in a queue of their own (error-queue.ts).
  set(ipLevel, receiveErrors, 1)
}

function bind(libc: Libc, descriptor: number, host: number, port: number): DataView {
  const address = new DataView(new ArrayBuffer(socketAddressSize))
  const at = libc.addressOf(new Uint8Array(address.buffer))
  writeSocketAddress(address, 0, host, port)
  if (libc.find("bind", "int", ["int", "address", "uint"])(descriptor, at, socketAddressSize) !== 0)
    throw failure("bind", libc.errno(), ` ${hostText(host)}:${port}`)
  const size = Int32Array.of(socketAddressSize)
  const getsockname = libc.find("getsockname", "int", ["int", "address", "address"])
  if (getsockname(descriptor, at, libc.addressOf(new Uint8Array(size.buffer))) !== 0)
    throw failure("getsockname", libc.errno())
  return address
}

/** True for the error of an address or port that cannot be had, which no other kind of socket would get either. */
export function isBindFailure(error: unknown): boolean {
  return error instanceof Error && "syscall" in error && error.syscall === "bind"
}

/** A bound socket that never blocks. @throws Error of the system; see isBindFailure */
export function openSystemSocket(libc: Libc, host: number, port: number): SystemSocket {
  const socket = libc.find("socket", "int", ["int", "int", "int"])
  const closeDescriptor = libc.find("close", "int", ["int"])
  const descriptor = socket(addressFamily, datagramType | nonBlocking | closeOnExec, 0)
  if (descriptor < 0) throw failure("socket", libc.errno())
  const close = (): void => void closeDescriptor(descriptor)
  try {
    prepare(libc, descriptor)
    const address = bind(libc, descriptor, host, port)
    return { descriptor, host: address.getUint32(4), port: address.getUint16(2), close }
  } catch (error) {
    close()
    throw error
  }
}
