/** Receives many datagrams in one system call: recvmmsg, with neighbours of one sender joined by the kernel (UDP_GRO). */
import type { Libc, Native } from "../system/libc.ts"
import { isReported } from "./error-queue.ts"
import { MessageHeaders } from "./message-headers.ts"
import { udpControlLevel, udpGather } from "./system-socket.ts"

/** Joined datagrams have 64 KiB in all at most. */
const slotSize = 1 << 16
const slotCount = 32

export class ReceiveBatch {
  readonly #recvmmsg: Native
  readonly #errno: () => number
  readonly #headers: MessageHeaders
  readonly #memory: ArrayBuffer

  constructor(libc: Libc) {
    this.#recvmmsg = libc.find("recvmmsg", "int", ["int", "address", "uint", "int", "address"])
    this.#errno = libc.errno
    this.#headers = new MessageHeaders(libc, slotCount)
    this.#memory = new ArrayBuffer(slotCount * slotSize)
    const address = libc.addressOf(new Uint8Array(this.#memory))
    for (let index = 0; index < slotCount; index++) {
      this.#headers.setData(index, address + index * slotSize, slotSize)
      this.#headers.allowControl(index)
    }
  }

  /**
   * Takes what is there, as far as there is room; gives how many messages. `take` may use the bytes until it returns.
   * An error that the socket reports in between concerns a datagram sent before (error-queue.ts).
   */
  receive(descriptor: number, take: (bytes: Uint8Array, host: number, port: number) => void): number {
    const headers = this.#headers
    let count = this.#recvmmsg(descriptor, headers.address, slotCount, 0, 0)
    if (count < 0 && isReported(this.#errno())) count = this.#recvmmsg(descriptor, headers.address, slotCount, 0, 0)
    for (let index = 0; index < count; index++) {
      const segment = headers.control(index, udpControlLevel, udpGather)
      const length = headers.received(index)
      const name = headers.nameAt(index)
      headers.resetName(index)
      headers.allowControl(index)
      this.#split(
        index,
        length,
        segment ?? length,
        headers.view.getUint32(name + 4),
        headers.view.getUint16(name + 2),
        take,
      )
    }
    return Math.max(0, count)
  }

  #split(
    index: number,
    length: number,
    segment: number,
    host: number,
    port: number,
    take: (bytes: Uint8Array, host: number, port: number) => void,
  ): void {
    const step = segment > 0 ? segment : length
    for (let at = 0; at < length; at += step)
      take(new Uint8Array(this.#memory, index * slotSize + at, Math.min(step, length - at)), host, port)
  }
}
