/**
 * The least of an AFS client that makes dafileserver attach volumes: RXAFS_FetchStatus of a volume's root directory over Rx,
 * unauthenticated, one call at a time; and the answers that a fileserver wants of a client before it serves it.
 * OpenAFS rx/rx.h, fsint/afsint.xg, fsint/afscbint.xg; all integers in network order.
 */
import { randomBytes } from "node:crypto"
import { createSocket, type Socket } from "node:dgram"
import { once } from "node:events"

const headerSize = 28
const types = { data: 1, ack: 2, abort: 4 } as const
const flags = { clientInitiated: 1, requestAck: 2, last: 4 } as const
const pingResponse = 7
const mtu = 1444
const fileService = 1
const fetchStatusOpcode = 132
const tellMeAboutYourself = 65538
const interfaceReplySize = 440

interface Packet {
  readonly epoch: number
  readonly cid: number
  readonly call: number
  readonly sequence: number
  /** Number of the packet on its connection; our own packets get theirs when they are sent. */
  readonly serial?: number
  readonly type: number
  readonly flags: number
  readonly service: number
  readonly body: Buffer
}

function parse(bytes: Buffer): Packet | undefined {
  if (bytes.length < headerSize) return undefined
  return {
    epoch: bytes.readUInt32BE(0),
    cid: bytes.readUInt32BE(4),
    call: bytes.readUInt32BE(8),
    sequence: bytes.readUInt32BE(12),
    serial: bytes.readUInt32BE(16),
    type: bytes.readUInt8(20),
    flags: bytes.readUInt8(21),
    service: bytes.readUInt16BE(26),
    body: bytes.subarray(headerSize),
  }
}

function encode(packet: Packet & { readonly serial: number }): Buffer {
  const bytes = Buffer.alloc(headerSize + packet.body.length)
  bytes.writeUInt32BE(packet.epoch, 0)
  bytes.writeUInt32BE(packet.cid, 4)
  bytes.writeUInt32BE(packet.call, 8)
  bytes.writeUInt32BE(packet.sequence, 12)
  bytes.writeUInt32BE(packet.serial, 16)
  bytes.writeUInt8(packet.type, 20)
  bytes.writeUInt8(packet.flags, 21)
  bytes.writeUInt16BE(packet.service, 26)
  packet.body.copy(bytes, headerSize)
  return bytes
}

function uuidWords(bytes: Buffer): number[] {
  return [bytes.readUInt32BE(0), bytes.readUInt16BE(4), bytes.readUInt16BE(6), ...bytes.subarray(8)]
}

/** A client of one fileserver. Its time limit for a call is for a server that is not there. */
export class RxClient implements Disposable {
  readonly #socket: Socket
  readonly #epoch = (Date.now() & 0x3fff_ffff) >>> 0
  readonly #cid = (process.pid << 4) >>> 0
  /** As `uuid` of afsint.xg: each byte of the node in a word of its own. A server takes two clients with one UUID for one
   * that has moved, and the second waits until the first does not answer any more. */
  readonly #uuid = uuidWords(randomBytes(16))
  #serial = 0
  #call = 0
  #settle: ((code: number) => void) | undefined

  private constructor(socket: Socket) {
    this.#socket = socket
    socket.on("message", (bytes) => this.#receive(bytes))
    socket.on("error", () => {}) // nobody listens there: the call's time will tell
  }

  static async open(host: string, port = 7000): Promise<RxClient> {
    const socket = createSocket("udp4")
    socket.connect(port, host)
    await once(socket, "connect")
    return new RxClient(socket)
  }

  /** 0, or the code of the abort: 110 busy, 103 no such volume, … The request is sent again every `resendMs`. */
  fetchStatus(volume: number, timeoutMs = 30_000, resendMs = 1000): Promise<number> {
    const body = Buffer.alloc(16)
    body.writeUInt32BE(fetchStatusOpcode, 0)
    body.writeUInt32BE(volume, 4)
    body.writeUInt32BE(1, 8)
    body.writeUInt32BE(1, 12)
    return new Promise((resolve, reject) => {
      const names = { epoch: this.#epoch, cid: this.#cid, call: ++this.#call, sequence: 1, type: types.data }
      const request = { ...names, flags: flags.clientInitiated | flags.last, service: fileService, body }
      const again = setInterval(() => this.#send(request), resendMs)
      const limit = setTimeout(() => {
        clearInterval(again)
        reject(new Error(`no answer within ${timeoutMs} ms`))
      }, timeoutMs)
      this.#settle = (code) => {
        clearInterval(again)
        clearTimeout(limit)
        this.#settle = undefined
        resolve(code)
      }
      this.#send(request)
    })
  }

  [Symbol.dispose](): void {
    this.#socket.close()
  }

  #send(packet: Packet): void {
    this.#socket.send(encode({ ...packet, serial: ++this.#serial }))
  }

  #receive(bytes: Buffer): void {
    const packet = parse(bytes)
    if (packet === undefined) return
    if ((packet.flags & flags.clientInitiated) !== 0) this.#answerServer(packet)
    else if (packet.cid !== this.#cid || (packet.call !== this.#call && packet.call !== 0)) return
    else if (packet.type === types.ack && (packet.flags & flags.requestAck) !== 0) this.#answerPing(packet)
    else if (packet.type === types.abort) this.#settle?.(packet.body.readInt32BE(0))
    else if (packet.type === types.data && (packet.flags & flags.last) !== 0) this.#settle?.(0)
  }

  /** The server runs no call of a peer that has not shown that it receives what is sent to it. */
  #answerPing(packet: Packet): void {
    const body = Buffer.alloc(37)
    body.writeUInt32BE(1, 4)
    body.writeUInt32BE(packet.serial ?? 0, 12)
    body.writeUInt8(pingResponse, 16)
    for (const [index, word] of [mtu, mtu, 32, 1].entries()) body.writeUInt32BE(word, 21 + 4 * index)
    this.#send({ ...packet, sequence: 0, type: types.ack, flags: flags.clientInitiated, body })
  }

  /** What the server asks of a client that it does not know. Every answer is one packet. */
  #answerServer(packet: Packet): void {
    if (packet.type !== types.data || packet.body.length < 4) return
    const opcode = packet.body.readUInt32BE(0)
    const body = Buffer.alloc(opcode === tellMeAboutYourself ? interfaceReplySize : 0)
    if (body.length > 0) {
      body.writeUInt32BE(1, 0) // interfaces
      for (const [index, word] of this.#uuid.entries()) body.writeUInt32BE(word, 4 + 4 * index)
      body.writeUInt32BE(1, interfaceReplySize - 8) // one word of capabilities
    }
    this.#send({ ...packet, type: types.data, sequence: 1, flags: flags.last, body })
  }
}
