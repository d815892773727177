/** A client that sends any bytes to a socket in OpenAFS's form, and sees every answer as it comes. */
import { createConnection } from "node:net"
import type { ExecutionContext } from "ava"
import { answerHeadLayout } from "../../fssync/openafs-layouts.ts"

/** One answer: the fields of its head, and what follows. */
export type OpenafsAnswer = ReturnType<typeof answerHeadLayout.read> & { readonly payload: Buffer }

export interface OpenafsPeer {
  readonly answers: readonly OpenafsAnswer[]
  /** Sizes of the chunks they came in. */
  readonly chunks: readonly number[]
  send(bytes: Uint8Array): void
  /** Ends this side. */
  leave(): void
  /** Resolves when there are so many answers. Fails if the connection ends first. */
  answered(count: number): Promise<readonly OpenafsAnswer[]>
  /** Resolves when the server has hung up. */
  readonly ended: Promise<void>
}

/** Answers in a stream; each says how long it is. */
function answersIn(bytes: Buffer): OpenafsAnswer[] {
  const found: OpenafsAnswer[] = []
  for (let at = 0; bytes.length - at >= answerHeadLayout.size; ) {
    const head = answerHeadLayout.read(bytes, at)
    if (bytes.length - at < head.length || head.length < answerHeadLayout.size) break
    found.push({ ...head, payload: bytes.subarray(at + answerHeadLayout.size, at + head.length) })
    at += head.length
  }
  return found
}

/** Bytes from hexadecimal words, as captures show them; `|` and white space count for nothing. */
export const hex = (text: string): Buffer => Buffer.from(text.replace(/[\s|]/g, ""), "hex")

/** Connects; hangs up when the test ends. */
export async function connectOpenafs(t: Pick<ExecutionContext, "teardown">, path: string): Promise<OpenafsPeer> {
  const socket = createConnection({ path })
  t.teardown(() => socket.destroy())
  await new Promise<void>((resolve, reject) => {
    socket.once("error", reject)
    socket.once("connect", () => resolve())
  })
  let bytes = Buffer.alloc(0)
  const chunks: number[] = []
  const listeners = new Set<() => void>()
  const wake = (): void => {
    for (const listener of [...listeners]) listener()
  }
  socket.on("data", (chunk: Buffer) => {
    chunks.push(chunk.length)
    bytes = Buffer.concat([bytes, chunk])
    wake()
  })
  socket.on("error", () => undefined)
  const ended = new Promise<void>((resolve) => {
    socket.once("close", () => resolve())
  })
  socket.once("close", wake)
  return {
    get answers() {
      return answersIn(bytes)
    },
    chunks,
    send: (sent) => void socket.write(sent),
    leave: () => void socket.end(),
    answered: (count) =>
      new Promise((resolve, reject) => {
        const look = (): void => {
          const answers = answersIn(bytes)
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
