/**
 * What the endpoint's shell needs of the operating system: a bound UDP socket that gives whole batches and takes whole
 * batches. node:dgram is one way; others can do more datagrams in one system call behind the same face.
 */
import type { Transmit } from "./endpoint.ts"

/** What a port does with what comes. */
export interface PortEvents {
  /** A datagram came; the bytes are the receiver's from now on. Host is an IPv4 address as a number. */
  readonly receive: (bytes: Uint8Array, host: number, port: number) => void
  /** That was all for now: answers may go out together. */
  readonly batchEnd: () => void
}

export interface DatagramPort {
  readonly address: string
  readonly port: number
  /** Sends, or keeps to send at `flush`. The bytes must stay as they are until `flush` is done. */
  readonly send: Transmit
  /** Sends everything kept. True if the system has taken all; false if some bytes must stay as they are for longer. */
  flush(): boolean
  /** Datagrams that the system refused. */
  readonly sendFailures: number
  close(): Promise<void>
}

/** Opens a port at an address ("0.0.0.0" for all) and number (0 for any). @throws Error of the system if it cannot */
export type OpenPort = (address: string, port: number, events: PortEvents) => Promise<DatagramPort>

/** 10.0.0.1 as a number; undefined if it is no IPv4 address. */
export function parseHost(address: string): number | undefined {
  const parts = address.split(".")
  if (parts.length !== 4 || !parts.every((part) => /^\d{1,3}$/.test(part) && Number(part) < 256)) return undefined
  return parts.reduce((sum, part) => sum * 256 + Number(part), 0)
}

export function hostText(host: number): string {
  return `${host >>> 24}.${(host >>> 16) & 255}.${(host >>> 8) & 255}.${host & 255}`
}
