/**
 * A client of dafileserver's socket that does what ours does, in OpenAFS's form: one connection, a promise for each request,
 * every field of the answer read into an object. One request at a time: dafileserver understands no more.
 * OpenAFS vol/daemon_com.h, vol/fssync.h (FSSYNC_VolOp_command), vol/volume.h (Volume); x86-64 layouts.
 */
import { createConnection, type Socket } from "node:net"
import { array, i32le, raw, struct, text, u8, u16le, u32le } from "../common/codec/struct.ts"
import { FormatError } from "../common/error.ts"
import { type AttachMode, attachModes, type ProgramType, programTypes } from "../common/protocol/codes.ts"
import { fssyncCommands } from "../fssync/message.ts"
import { Spinner } from "../fssync/spinner.ts"

const request = struct("VolOp request", 60, {
  version: u32le,
  packetSequence: u32le,
  commandSequence: u32le,
  programType: i32le,
  pid: i32le,
  thread: i32le,
  command: u32le,
  reason: u32le,
  length: u32le,
  flags: u32le,
  volume: u32le,
  partition: text(16),
})

const answerHead = struct("answer", 32, {
  version: u32le,
  packetSequence: u32le,
  commandSequence: u32le,
  answerSequence: u32le,
  length: u32le,
  response: u32le,
  reason: u32le,
  flags: u32le,
})

const volume = struct("Volume", 384, {
  hashChain: raw(16),
  hashid: u32le,
  pad1: u32le,
  header: raw(8),
  device: i32le,
  pad2: u32le,
  partition: raw(8),
  vnodeIndexes: raw(48),
  linkHandle: raw(8),
  nextVnodeUnique: u32le,
  pad3: u32le,
  diskDataHandle: raw(8),
  shuttingDown: u8,
  goingOffline: u8,
  pad4: u16le,
  cacheCheck: u32le,
  nUsers: u16le,
  needsPutBack: u8,
  specialStatus: u8,
  checkoutMode: i32le,
  updateTime: u32le,
  pad5: u32le,
  lists: raw(32),
  attach_state: u32le,
  attach_flags: u32le,
  condition: raw(48),
  nWaiters: u16le,
  pad6: u16le,
  chainCacheCheck: u32le,
  partitionList: raw(16),
  prio: u32le,
  reason: i32le,
  requested: u8,
  scheduled: u8,
  scheduling: u8,
  pad7: u8,
  pad8: u32le,
  counters: array(u32le, 8),
  attaches: u16le,
  soft_detaches: u16le,
  salvages: u16le,
  vol_ops: u16le,
  times: array(u32le, 8),
  vlruLinks: raw(16),
  vlru: u32le,
  pad9: u32le,
  pending_vol_op: raw(8),
  usage_bumps_outstanding: u32le,
  usage_bumps_next_write: u32le,
})

const extensions = 2
const { VOL_ON, VOL_OFF, VOL_NEEDVOLUME, VOL_QUERY, VOL_QUERY_VOP } = fssyncCommands

export class OpenafsFssync implements Disposable {
  readonly #socket: Socket
  readonly #spinner = new Spinner()
  #sequence = 0
  #settle: ((answer: Buffer) => void) | undefined
  readonly #programType: number

  private constructor(path: string, program: ProgramType) {
    this.#programType = programTypes[program]
    const callback = (length: number, buffer: Uint8Array): boolean => {
      this.#spinner.arrived()
      this.#settle?.(Buffer.from(buffer.buffer, buffer.byteOffset, length))
      return true
    }
    this.#socket = createConnection({ path, onread: { buffer: Buffer.alloc(64 << 10), callback } })
  }

  static open(path: string, program: ProgramType = "debugUtility"): Promise<OpenafsFssync> {
    return new Promise((resolve, reject) => {
      const client = new OpenafsFssync(path, program)
      client.#socket.once("error", reject)
      client.#socket.once("connect", () => resolve(client))
    })
  }

  /** VOL_ON. @throws FormatError if it is refused */
  async volumeOn(id: number, partition: string): Promise<void> {
    await this.#ask(VOL_ON, id, partition)
  }

  /** VOL_OFF. @throws FormatError if it is refused */
  async volumeOff(id: number, partition: string): Promise<void> {
    await this.#ask(VOL_OFF, id, partition)
  }

  /** VOL_NEEDVOLUME in an attach mode. @throws FormatError if it is refused */
  async needVolume(id: number, partition: string, mode: AttachMode): Promise<void> {
    await this.#ask(VOL_NEEDVOLUME, id, partition, attachModes[mode])
  }

  /** VOL_QUERY_VOP: the checkout is there. @throws FormatError if it is not */
  async queryVolumeOperation(id: number, partition: string): Promise<void> {
    await this.#ask(VOL_QUERY_VOP, id, partition)
  }

  /** VOL_QUERY, with the whole answer taken apart. */
  async queryVolume(id: number, partition: string) {
    return volume.read(await this.#ask(VOL_QUERY, id, partition), answerHead.size)
  }

  [Symbol.dispose](): void {
    this.#socket.destroy()
  }

  #ask(command: number, id: number, partition: string, reason = 0): Promise<Buffer> {
    return new Promise((resolve, reject) => {
      this.#settle = (bytes) => {
        const head = answerHead.read(bytes)
        if (head.response === 0 && head.length === bytes.length) resolve(bytes)
        else reject(new FormatError("answer", {}, `response ${head.response}, ${bytes.length} bytes`, "OK"))
      }
      const sequence = ++this.#sequence
      const bytes = request.encode({
        version: 3,
        packetSequence: sequence,
        commandSequence: sequence,
        programType: this.#programType,
        pid: process.pid,
        thread: 0,
        command,
        reason,
        length: request.size,
        flags: extensions,
        volume: id,
        partition,
      })
      this.#socket.write(bytes)
      this.#spinner.expect()
    })
  }
}
