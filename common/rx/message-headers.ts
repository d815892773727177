/**
 * The memory that sendmmsg and recvmmsg work on: an array of mmsghdr with an address, one piece of data and control room
 * each, laid out once. Offsets are those of 64-bit Linux (sys/socket.h); all pointers are written as two halves.
 *
 *     mmsghdr 64:  name 0 · namelen 8 · iov 16 · iovlen 24 · control 32 · controllen 40 · flags 48 · msg_len 56
 */
import type { Libc } from "../system/libc.ts"
import { socketAddressSize } from "./system-socket.ts"

const headerSize = 64
const iovecSize = 16
/** Room for one control message with an int: cmsghdr 16 and 8. */
const controlSizeMin = 24
const controlData = 16
const half = 2 ** 32

const field = { name: 0, nameLength: 8, iov: 16, iovLength: 24, control: 32, controlLength: 40, length: 56 } as const

export class MessageHeaders {
  /** Of the first header. */
  readonly address: number
  readonly #view: DataView
  readonly #count: number
  readonly #iovecs: number
  readonly #names: number
  readonly #controls: number
  readonly #controlSize: number

  constructor(libc: Libc, count: number, controlSize = controlSizeMin) {
    this.#controlSize = controlSize
    const bytes = new Uint8Array(new ArrayBuffer(count * (headerSize + iovecSize + socketAddressSize + controlSize)))
    this.#view = new DataView(bytes.buffer)
    this.#count = count
    this.#iovecs = count * headerSize
    this.#names = this.#iovecs + count * iovecSize
    this.#controls = this.#names + count * socketAddressSize
    this.address = libc.addressOf(bytes)
    for (let index = 0; index < count; index++) this.#layOut(index)
  }

  #layOut(index: number): void {
    const at = index * headerSize
    this.#setPointer(at + field.name, this.address + this.nameAt(index))
    this.#setPointer(at + field.iov, this.address + this.#iovecs + index * iovecSize)
    this.#setPointer(at + field.iovLength, 1)
    this.#setPointer(at + field.control, this.address + this.#controlAt(index))
    this.resetName(index)
  }

  #setPointer(at: number, value: number): void {
    this.#view.setUint32(at, value % half, true)
    this.#view.setUint32(at + 4, value / half, true)
  }

  /** Where a header's sockaddr_in lies in `view`. */
  nameAt(index: number): number {
    return this.#names + index * socketAddressSize
  }

  #controlAt(index: number): number {
    return this.#controls + index * this.#controlSize
  }

  get view(): DataView {
    return this.#view
  }

  get count(): number {
    return this.#count
  }

  headerAddress(index: number): number {
    return this.address + index * headerSize
  }

  /** The bytes to send, or the room to receive into. */
  setData(index: number, address: number, length: number): void {
    const at = this.#iovecs + index * iovecSize
    this.#setPointer(at, address)
    this.#setPointer(at + 8, length)
  }

  resetName(index: number): void {
    this.#view.setUint32(index * headerSize + field.nameLength, socketAddressSize, true)
  }

  /** Room for a control message to come. */
  allowControl(index: number): void {
    this.#view.setUint32(index * headerSize + field.controlLength, this.#controlSize, true)
  }

  noControl(index: number): void {
    this.#view.setUint32(index * headerSize + field.controlLength, 0, true)
  }

  /** One control message with a 16-bit number. */
  setControl(index: number, level: number, type: number, value: number): void {
    const at = this.#controlAt(index)
    this.#setPointer(at, controlData + 2)
    this.#view.setInt32(at + 8, level, true)
    this.#view.setInt32(at + 12, type, true)
    this.#view.setUint16(at + controlData, value, true)
    this.#view.setUint32(index * headerSize + field.controlLength, controlSizeMin, true)
  }

  /** The number that the control message which came begins with, if it is of this kind. */
  control(index: number, level: number, type: number): number | undefined {
    const at = this.#controlAt(index)
    if (this.#view.getUint32(index * headerSize + field.controlLength, true) < controlData + 4) return undefined
    if (this.#view.getInt32(at + 8, true) !== level || this.#view.getInt32(at + 12, true) !== type) return undefined
    return this.#view.getInt32(at + controlData, true)
  }

  /** Bytes that came. */
  received(index: number): number {
    return this.#view.getUint32(index * headerSize + field.length, true)
  }
}
