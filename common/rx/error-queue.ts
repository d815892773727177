/**
 * What ICMP says of datagrams that were sent: with IP_RECVERR the kernel keeps it with the address that they went to
 * (ip(7)). So we hear that nobody listens at a port, long before silence tells.
 */
import { constants } from "node:os"
import type { Libc, Native } from "../system/libc.ts"
import { MessageHeaders } from "./message-headers.ts"

const { ECONNREFUSED, EHOSTUNREACH, ENETUNREACH, ENETDOWN, EPROTO, EACCES, EMSGSIZE, ETIMEDOUT } = constants.errno

/** Errors of datagrams sent before, which the socket reports at any call: not about what the call wanted. */
const reported: ReadonlySet<number> = new Set([
  ECONNREFUSED,
  EHOSTUNREACH,
  ENETUNREACH,
  ENETDOWN,
  EPROTO,
  EACCES,
  EMSGSIZE,
  ETIMEDOUT,
])

/** True for an error that may be one of an earlier datagram: the call is worth a second try. */
export const isReported = (errno: number): boolean => reported.has(errno)

const fromErrorQueue = 0x2000
const slotCount = 16
/** Only the address matters; the datagram itself is cut off. */
const dataSize = 64
/** sock_extended_err and the address of who said it. */
const controlSize = 64
/** Behind the header of the control message: sock_extended_err's ee_errno. */
const ipLevel = 0
const receiveErrors = 11

export class ErrorQueue {
  readonly #recvmmsg: Native
  readonly #headers: MessageHeaders
  readonly #memory = new ArrayBuffer(slotCount * dataSize)

  constructor(libc: Libc) {
    this.#recvmmsg = libc.find("recvmmsg", "int", ["int", "address", "uint", "int", "address"])
    this.#headers = new MessageHeaders(libc, slotCount, controlSize)
    const address = libc.addressOf(new Uint8Array(this.#memory))
    for (let index = 0; index < slotCount; index++) {
      this.#headers.setData(index, address + index * dataSize, dataSize)
      this.#headers.allowControl(index)
    }
  }

  /** Takes what is there; tells each address where nobody listens, or to which no way leads. */
  drain(descriptor: number, tell: (host: number, port: number) => void): void {
    const headers = this.#headers
    for (let count = slotCount; count === slotCount; ) {
      count = this.#recvmmsg(descriptor, headers.address, slotCount, fromErrorQueue, 0)
      for (let index = 0; index < count; index++) {
        const errno = headers.control(index, ipLevel, receiveErrors)
        const name = headers.nameAt(index)
        if (errno === ECONNREFUSED || errno === EHOSTUNREACH || errno === ENETUNREACH)
          tell(headers.view.getUint32(name + 4), headers.view.getUint16(name + 2))
        headers.resetName(index)
        headers.allowControl(index)
      }
    }
  }
}
