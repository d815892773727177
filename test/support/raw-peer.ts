/** A client of an FSSYNC socket that sends any bytes, however cut, and sees every answer as it comes. */
import { createConnection, type Socket } from "node:net"
import type { ExecutionContext } from "ava"
import { answerBytesMax, FrameReader } from "../../fssync/frame.ts"
import { decodeAnswer, encodeCall, type SyncCall, type WireAnswer } from "../../fssync/message-codec.ts"
import { sampleRequest } from "./sync-samples.ts"

/** The protocol byte of FSSYNC's frames. */
export const fssyncMark = 0x46

export interface RawPeer {
  readonly socket: Socket
  /** Answers so far, in the order they came. */
  readonly answers: readonly WireAnswer[]
  /** Sizes of the chunks they came in. */
  readonly chunks: readonly number[]
  send(bytes: Uint8Array): void
  /** Resolves when there are so many answers. Fails if the connection ends first. */
  answered(count: number): Promise<readonly WireAnswer[]>
  /** Resolves when the server has hung up. */
  readonly ended: Promise<void>
}

/** A request as a frame. */
export function requestFrame(fields: Partial<SyncCall>): Buffer {
  return encodeCall(fssyncMark, { ...sampleRequest(), id: 1, ...fields })
}

/** Connects, and expects answers with the protocol byte `mark`; hangs up when the test ends. */
export async function connectRaw(
  t: Pick<ExecutionContext, "teardown">,
  path: string,
  mark: number = fssyncMark,
): Promise<RawPeer> {
  const socket = createConnection({ path })
  t.teardown(() => socket.destroy())
  await new Promise<void>((resolve, reject) => {
    socket.once("error", reject)
    socket.once("connect", () => resolve())
  })
  const answers: WireAnswer[] = []
  const chunks: number[] = []
  const listeners = new Set<() => void>()
  const reader = new FrameReader(mark, answerBytesMax)
  const wake = (): void => {
    for (const listener of [...listeners]) listener()
  }
  socket.on("data", (chunk: Buffer) => {
    chunks.push(chunk.length)
    reader.push(chunk)
    for (let body = reader.next(); body !== undefined; body = reader.next()) answers.push(decodeAnswer(body))
    wake()
  })
  socket.on("error", () => undefined)
  const ended = new Promise<void>((resolve) => {
    socket.once("close", () => resolve())
  })
  socket.once("close", wake)
  return {
    socket,
    answers,
    chunks,
    send: (bytes) => void socket.write(bytes),
    answered: (count) =>
      new Promise((resolve, reject) => {
        const look = (): void => {
          if (answers.length < count && !socket.destroyed) return
          listeners.delete(look)
          if (answers.length >= count) resolve(answers)
          else reject(new Error(`the server hung up after ${answers.length} of ${count} answers`))
        }
        listeners.add(look)
        look()
      }),
    ended,
  }
}

/** Resolves when `condition` holds; it is looked at once per turn of the event loop. */
export async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setImmediate(resolve))
}
