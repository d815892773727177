/**
 * What the endpoint's shell needs of the operating system: a bound UDP socket that gives whole batches and takes whole
 * batches. node:dgram is one way (socket.ts), several datagrams in one system call another (system-port.ts).
 */
import type { Transmit } from "./endpoint.ts"

/** What a port does with what comes. */
export interface PortEvents {
  /** A datagram came. Host is an IPv4 address as a number. The bytes are only lent for the call if the port `lends`. */
  readonly receive: (bytes: Uint8Array, host: number, port: number) => void
  /** The system says that nobody listens at the other end. Not every port hears of that. */
  readonly unreachable: (host: number, port: number) => void
  /** That was all for now: answers may go out together. */
  readonly batchEnd: () => void
}

export interface DatagramPort {
  /** How it works, for the log. */
  readonly name: string
  readonly address: string
  readonly port: number
  /** What is received is overwritten by the next batch; else it is the receiver's. */
  readonly lends: boolean
  /** Sends, or keeps to send at `flush`. The bytes must stay as they are until `flush` is done. */
  readonly send: Transmit
  /** Sends everything kept. True if the bytes given to `send` are free; false if some must stay as they are for longer. */
  flush(): boolean
  /** Datagrams that the system refused. */
  readonly sendFailures: number
  close(): Promise<void>
}

/** Opens a port at an address ("0.0.0.0" for all) and number (0 for any). @throws Error of the system if it cannot */
export type OpenPort = (address: string, port: number, events: PortEvents) => Promise<DatagramPort>

/** Holds 2,800 full packets: what arrives while the loop is busy for 30 ms is not lost. */
export const receiveBufferBytes = 4 << 20

/** 10.0.0.1 as a number; undefined if it is no IPv4 address. */
export function parseHost(address: string): number | undefined {
  const parts = address.split(".")
  if (parts.length !== 4 || !parts.every((part) => /^\d{1,3}$/.test(part) && Number(part) < 256)) return undefined
  return parts.reduce((sum, part) => sum * 256 + Number(part), 0)
}

export function hostText(host: number): string {
  return `${host >>> 24}.${(host >>> 16) & 255}.${(host >>> 8) & 255}.${host & 255}`
}
