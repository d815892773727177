/** A C library whose calls are JavaScript, and which finds again what lies at an address that it gave out. */
import type { Libc, Native } from "../../common/system/libc.ts"

export class FakeLibc implements Libc {
  /** Of the last call that failed. */
  error = 0
  readonly #functions: Readonly<Record<string, Native>>
  readonly #regions: { readonly at: number; readonly bytes: Uint8Array }[] = []
  #next = 2 ** 40

  constructor(functions: Readonly<Record<string, Native>>) {
    this.#functions = functions
  }

  find(name: string): Native {
    const found = this.#functions[name]
    if (found === undefined) throw new Error(`no ${name} here`)
    return found
  }

  errno = (): number => this.error

  addressOf(bytes: Uint8Array): number {
    const at = this.#next
    this.#next += bytes.length + 4096
    this.#regions.push({ at, bytes })
    return at
  }

  watch(): never {
    throw new Error("nothing is watched here")
  }

  /** The bytes at an address. @throws Error if no region holds them all */
  at(address: number, length: number): Buffer {
    const region = this.#regions.find(({ at, bytes }) => address >= at && address + length <= at + bytes.length)
    if (region === undefined) throw new Error(`nothing of ours lies at ${address}`)
    return Buffer.from(region.bytes.buffer, region.bytes.byteOffset + (address - region.at), length)
  }
}

const pointer = (bytes: Buffer, at: number): number => Number(bytes.readBigUInt64LE(at))

/** A mmsghdr as the kernel reads it. */
export interface Message {
  readonly host: number
  readonly port: number
  readonly data: Buffer
  /** The UDP_SEGMENT of its control message. */
  readonly segment: number | undefined
}

export function readMessage(libc: FakeLibc, address: number): Message {
  const header = libc.at(address, 64)
  const name = libc.at(pointer(header, 0), header.readUInt32LE(8))
  const iovec = libc.at(pointer(header, 16), 16)
  const controlLength = pointer(header, 40)
  const control = controlLength === 0 ? undefined : libc.at(pointer(header, 32), controlLength)
  if (control !== undefined && (control.readInt32LE(8) !== 17 || control.readInt32LE(12) !== 103))
    throw new Error("not UDP_SEGMENT")
  return {
    host: name.readUInt32BE(4),
    port: name.readUInt16BE(2),
    data: Buffer.from(libc.at(pointer(iovec, 0), pointer(iovec, 8))),
    segment: control?.readUInt16LE(16),
  }
}
