/** A client that sends any bytes to a socket in OpenAFS's form, and sees every answer as it comes. */
import type { ExecutionContext } from "ava"
import { answerHeadLayout } from "../../fssync/openafs-layouts.ts"
import { type AnsweringPeer, connectPeer } from "./answering-peer.ts"

/** One answer: the fields of its head, and what follows. */
export type OpenafsAnswer = ReturnType<typeof answerHeadLayout.read> & { readonly payload: Buffer }

export type OpenafsPeer = AnsweringPeer<OpenafsAnswer>

/** Takes answers out of a stream; each says how long it is. */
function answerTaker(): (chunk: Buffer) => OpenafsAnswer[] {
  let rest = Buffer.alloc(0)
  return (chunk) => {
    const found: OpenafsAnswer[] = []
    rest = Buffer.concat([rest, chunk])
    while (rest.length >= answerHeadLayout.size) {
      const head = answerHeadLayout.read(rest, 0)
      if (rest.length < head.length || head.length < answerHeadLayout.size) break
      found.push({ ...head, payload: rest.subarray(answerHeadLayout.size, head.length) })
      rest = rest.subarray(head.length)
    }
    return found
  }
}

/** Bytes from hexadecimal words, as captures show them; `|` and white space count for nothing. */
export const hex = (text: string): Buffer => Buffer.from(text.replace(/[\s|]/g, ""), "hex")

/** Connects; hangs up when the test ends. */
export function connectOpenafs(t: Pick<ExecutionContext, "teardown">, path: string): Promise<OpenafsPeer> {
  return connectPeer(t, path, answerTaker())
}
