/**
 * A peer on a real UDP port that sends hand-made Rx packets to a fileserver and reads what comes back. What the server wants of
 * every client it does for itself: it answers pings, and says who it is.
 */
import { createSocket, type Socket } from "node:dgram"
import { once } from "node:events"
import { ackReasons, packetFlags, packetTypes, type RxHeader, rxHeader } from "../../common/protocol/rx-packet.ts"
import { ackBody, type RawAck, type Seen, wordsOf } from "./rx-raw.ts"

const { clientInitiated, requestAck, lastPacket } = packetFlags
const tellMeAboutYourself = 65_538
const interfaceReplySize = 440
const pingReasonAt = 16

let made = 0

export class RawSocket implements Disposable {
  /** What packets are made from. */
  base: Partial<RxHeader>
  /** Pings for calls of ours are answered. */
  isReachable = true
  readonly #socket: Socket
  readonly #to: { readonly host: string; readonly port: number }
  readonly #seen: Seen[] = []
  #wake: () => void = () => undefined
  #serial = 0
  #fences = 0

  private constructor(socket: Socket, host: string, port: number) {
    this.#socket = socket
    this.#to = { host, port }
    const epoch = (0x8000_0000 | (process.pid << 10) | made++) >>> 0
    this.base = { epoch, cid: 0x1000, callNumber: 0, flags: clientInitiated, serviceId: 1 }
    socket.on("message", (bytes) => this.#receive(bytes))
  }

  static async open(host: string, port: number): Promise<RawSocket> {
    const socket = createSocket("udp4")
    socket.bind()
    await once(socket, "listening")
    return new RawSocket(socket, host, port)
  }

  [Symbol.dispose](): void {
    this.#socket.close()
  }

  /** Sends a packet; its serial. */
  send(fields: Partial<RxHeader>, body: Uint8Array = new Uint8Array(0)): number {
    const zero = { epoch: 0, cid: 0, callNumber: 0, seq: 0, serial: ++this.#serial, type: packetTypes.data, flags: 0 }
    const header = { ...zero, userStatus: 0, securityIndex: 0, checksum: 0, serviceId: 0, ...this.base, ...fields }
    this.#socket.send(Buffer.concat([rxHeader.encode(header), body]), this.#to.port, this.#to.host)
    return header.serial
  }

  /** A DATA packet; flags beside CLIENT_INITIATED. */
  data(seq: number, body: Uint8Array, flags: number = lastPacket, fields: Partial<RxHeader> = {}): number {
    return this.send({ seq, ...fields, flags: clientInitiated | flags }, body)
  }

  ack(ack: RawAck, flags = 0): number {
    return this.send({ type: packetTypes.ack, flags: clientInitiated | flags }, ackBody(ack))
  }

  /** The next call on the channel, its request in one packet. */
  call(request: Uint8Array): number {
    this.base.callNumber = (this.base.callNumber ?? 0) + 1
    return this.data(1, request)
  }

  /** What has come, in words, when so many packets are there. Serials of ours are told as `s`. */
  async words(count = 1): Promise<string[]> {
    while (this.#seen.length < count)
      await new Promise<void>((resolve) => {
        this.#wake = resolve
      })
    return this.#take()
  }

  /** What comes until one of them begins with this word. */
  async until(word: string): Promise<string[]> {
    const all: string[] = []
    while (!all.some((one) => one.startsWith(word))) all.push(...(await this.words()))
    return all
  }

  /** What has come when the server answers a question that was asked last: all that it says at once. */
  async all(): Promise<string[]> {
    const counter = 1_000_000 + this.#fences++
    this.send({ type: packetTypes.version, callNumber: counter, flags: clientInitiated }, Uint8Array.of(0))
    for (;;) {
      const at = this.#seen.findIndex(
        ({ header }) => header.type === packetTypes.version && header.callNumber === counter,
      )
      if (at < 0) await this.#more()
      else {
        this.#seen.splice(at, 1)
        return this.#take()
      }
    }
  }

  #more(): Promise<void> {
    return new Promise((resolve) => {
      this.#wake = resolve
    })
  }

  #take(): string[] {
    return this.#seen.splice(0).map((seen) => wordsOf(seen).replace(/^(ACK \w+ \d+\/\d+)\/[1-9]\d*/, "$1/s"))
  }

  #receive(bytes: Buffer): void {
    const header = rxHeader.read(bytes)
    const body = bytes.subarray(rxHeader.size)
    if ((header.flags & clientInitiated) !== 0) return this.#answerServer(header, body)
    const isPing = header.type === packetTypes.ack && (header.flags & requestAck) !== 0
    if (isPing && body[pingReasonAt] === ackReasons.ping && this.isReachable) return this.#answerPing(header)
    this.#seen.push({ at: 0, header, body })
    this.#wake()
  }

  #answerPing({ callNumber, cid, serial }: RxHeader): void {
    const body = ackBody({ first: 1, serial, reason: ackReasons.pingResponse, trailer: [1444, 1444, 32, 1] })
    this.send({ type: packetTypes.ack, callNumber, cid, flags: clientInitiated }, body)
  }

  /** Every answer is one packet. */
  #answerServer(header: RxHeader, body: Buffer): void {
    if (header.type !== packetTypes.data || body.length < 4) return
    const reply = Buffer.alloc(body.readUInt32BE(0) === tellMeAboutYourself ? interfaceReplySize : 0)
    if (reply.length > 0) {
      reply.writeUInt32BE(1, 0)
      for (let word = 0; word < 11; word++) reply.writeUInt32BE(((this.base.epoch ?? 0) >>> word) & 0x7f, 4 + 4 * word)
      reply.writeUInt32BE(1, interfaceReplySize - 8)
    }
    this.send({ ...header, type: packetTypes.data, seq: 1, flags: lastPacket, serial: ++this.#serial }, reply)
  }
}
