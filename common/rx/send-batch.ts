/**
 * Sends many datagrams in one system call: sendmmsg, where neighbours of one size to one peer are one message that the
 * kernel cuts (UDP_SEGMENT). What is to be sent is copied, so that packets are free at once.
 */
import { constants } from "node:os"
import type { Libc, Native } from "../system/libc.ts"
import { isReported } from "./error-queue.ts"
import { MessageHeaders } from "./message-headers.ts"
import { udpControlLevel, udpSegment, writeSocketAddress } from "./system-socket.ts"

const { EAGAIN, EINTR, EINVAL, EIO, EMSGSIZE, ENOBUFS, EOPNOTSUPP } = constants.errno

/** Stays in the processor's cache; holds 180 full packets. */
const memorySize = 1 << 18
const messageCount = 128
/** Bounds of the kernel for one message that it cuts: what fits into an IPv4 datagram, and its UDP_MAX_SEGMENTS. */
const joinedMax = 65_000
const segmentsMax = 64
/** Segments above an interface's packet size are refused; this size no interface refuses that segments at all. */
const segmentSizeSafe = 1_472
/** The largest Rx datagram. */
const segmentSizeMax = 1 << 14

/** Datagrams to one peer, of `size` bytes but for the last. */
interface Run {
  host: number
  port: number
  at: number
  length: number
  size: number
  count: number
  /** The last datagram was shorter: nothing can follow it. */
  isClosed: boolean
}

const emptyRun = (): Run => ({ host: 0, port: 0, at: 0, length: 0, size: 0, count: 0, isClosed: false })

export class SendBatch {
  /** Datagrams that the system refused, or that were dropped while it took none. */
  failures = 0
  /** Datagrams of up to this size are joined: less when it turned out that the kernel does not cut them again. */
  joinMax = segmentSizeMax
  readonly #sendmmsg: Native
  readonly #errno: () => number
  readonly #headers: MessageHeaders
  readonly #memory: Uint8Array
  readonly #address: number
  readonly #runs: Run[] = []
  #runCount = 0
  #first = 0
  #used = 0

  constructor(libc: Libc) {
    this.#sendmmsg = libc.find("sendmmsg", "int", ["int", "address", "uint", "int"])
    this.#errno = libc.errno
    this.#headers = new MessageHeaders(libc, messageCount)
    this.#memory = new Uint8Array(new ArrayBuffer(memorySize))
    this.#address = libc.addressOf(this.#memory)
    for (let index = 0; index < messageCount; index++) this.#runs.push(emptyRun())
  }

  /** Nothing waits to be sent. */
  get isEmpty(): boolean {
    return this.#first === this.#runCount
  }

  /** Keeps a datagram; false if there is no room before the next `send`. */
  add(bytes: Uint8Array, length: number, host: number, port: number): boolean {
    if (this.#used + length > memorySize) return false
    const last = this.#runs[this.#runCount - 1]
    if (last !== undefined && this.#runCount > this.#first && this.#canJoin(last, length, host, port)) {
      last.length += length
      last.count++
      last.isClosed = length < last.size
    } else if (!this.#begin(length, host, port)) return false
    this.#memory.set(length === bytes.length ? bytes : bytes.subarray(0, length), this.#used)
    this.#used += length
    return true
  }

  #canJoin(last: Run, length: number, host: number, port: number): boolean {
    return (
      !last.isClosed &&
      last.host === host &&
      last.port === port &&
      length <= last.size &&
      last.size <= this.joinMax &&
      last.count < segmentsMax &&
      last.length + length <= joinedMax
    )
  }

  #begin(length: number, host: number, port: number): boolean {
    const run = this.#runs[this.#runCount]
    if (run === undefined) return false
    this.#runCount++
    run.host = host
    run.port = port
    run.at = this.#used
    run.length = length
    run.size = length
    run.count = 1
    run.isClosed = false
    return true
  }

  /** Sends everything kept; false if the socket takes no more now, and the rest waits. */
  send(descriptor: number): boolean {
    for (let index = this.#first; index < this.#runCount; index++) this.#describe(index)
    let isSecondTry = false
    while (this.#first < this.#runCount) {
      const sent = this.#sendmmsg(descriptor, this.#headers.headerAddress(this.#first), this.#runCount - this.#first, 0)
      if (sent > 0) {
        this.#first += sent
        isSecondTry = false
      } else {
        const errno = this.#errno()
        const isAgain: boolean = !isSecondTry && isReported(errno)
        isSecondTry = isAgain
        if (!isAgain && !this.#isMastered(descriptor, errno)) return false
      }
    }
    this.#clear()
    return true
  }

  #clear(): void {
    this.#first = 0
    this.#runCount = 0
    this.#used = 0
  }

  #describe(index: number): void {
    const run = this.#runs[index]
    if (run === undefined) return
    const headers = this.#headers
    writeSocketAddress(headers.view, headers.nameAt(index), run.host, run.port)
    headers.setData(index, this.#address + run.at, run.length)
    if (run.count > 1) headers.setControl(index, udpControlLevel, udpSegment, run.size)
    else headers.noControl(index)
  }

  /** What to do about the first message's error; false if it has to wait. */
  #isMastered(descriptor: number, errno: number): boolean {
    if (errno === EINTR) return true
    if (errno === EAGAIN || errno === ENOBUFS) return false
    const run = this.#runs[this.#first]
    const isAboutJoining = errno === EIO || errno === EINVAL || errno === EMSGSIZE || errno === EOPNOTSUPP
    if (run !== undefined && run.count > 1 && isAboutJoining) this.#sendSingly(descriptor, run)
    else this.failures += run?.count ?? 0
    this.#first++
    return true
  }

  /** An old kernel or an odd interface: if the datagrams go one by one, such as these are not joined from now on. */
  #sendSingly(descriptor: number, run: Run): void {
    const index = this.#first
    const headers = this.#headers
    headers.noControl(index)
    for (let at = 0; at < run.length; at += run.size) {
      headers.setData(index, this.#address + run.at + at, Math.min(run.size, run.length - at))
      if (this.#sendmmsg(descriptor, headers.headerAddress(index), 1, 0) === 1)
        this.joinMax = run.size > segmentSizeSafe ? segmentSizeSafe : 0
      else this.failures++
    }
  }

  /** Gives up what waits. */
  drop(): void {
    for (let index = this.#first; index < this.#runCount; index++) this.failures += this.#runs[index]?.count ?? 0
    this.#clear()
  }
}
