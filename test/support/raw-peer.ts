/** A client of an FSSYNC socket that sends any bytes, however cut, and sees every answer as it comes. */
import type { ExecutionContext } from "ava"
import { answerBytesMax, FrameReader } from "../../fssync/frame.ts"
import { decodeAnswer, encodeCall, type SyncCall, type WireAnswer } from "../../fssync/message-codec.ts"
import { type AnsweringPeer, connectPeer } from "./answering-peer.ts"
import { sampleRequest } from "./sync-samples.ts"

/** The protocol byte of FSSYNC's frames. */
export const fssyncMark = 0x46

export type RawPeer = AnsweringPeer<WireAnswer>

/** A request as a frame. */
export function requestFrame(fields: Partial<SyncCall>): Buffer {
  return encodeCall(fssyncMark, { ...sampleRequest(), id: 1, ...fields })
}

/** Connects, and expects answers with the protocol byte `mark`; hangs up when the test ends. */
export function connectRaw(
  t: Pick<ExecutionContext, "teardown">,
  path: string,
  mark: number = fssyncMark,
): Promise<RawPeer> {
  const reader = new FrameReader(mark, answerBytesMax)
  return connectPeer(t, path, (chunk) => {
    const answers: WireAnswer[] = []
    reader.push(chunk)
    for (let body = reader.next(); body !== undefined; body = reader.next()) answers.push(decodeAnswer(body))
    return answers
  })
}

/** Resolves when `condition` holds; it is looked at once per turn of the event loop. */
export async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setImmediate(resolve))
}
