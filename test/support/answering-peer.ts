/** A client of a socket that sends any bytes, however cut, and sees every answer as it comes, in whatever form. */
import { createConnection, type Socket } from "node:net"
import type { ExecutionContext } from "ava"

export interface AnsweringPeer<A> {
  readonly socket: Socket
  /** Answers so far, in the order they came. */
  readonly answers: readonly A[]
  /** Sizes of the chunks they came in. */
  readonly chunks: readonly number[]
  send(bytes: Uint8Array): void
  /** Ends this side. */
  leave(): void
  /** Resolves when there are so many answers. Fails if the connection ends first. */
  answered(count: number): Promise<readonly A[]>
  /** Resolves when the server has hung up. */
  readonly ended: Promise<void>
}

/** Connects; `take` gives the answers that are whole with another chunk. Hangs up when the test ends. */
export async function connectPeer<A>(
  t: Pick<ExecutionContext, "teardown">,
  path: string,
  take: (chunk: Buffer) => Iterable<A>,
): Promise<AnsweringPeer<A>> {
  const socket = createConnection({ path })
  t.teardown(() => socket.destroy())
  await new Promise<void>((resolve, reject) => {
    socket.once("error", reject)
    socket.once("connect", () => resolve())
  })
  const answers: A[] = []
  const chunks: number[] = []
  const listeners = new Set<() => void>()
  const wake = (): void => {
    for (const listener of [...listeners]) listener()
  }
  socket.on("data", (chunk: Buffer) => {
    chunks.push(chunk.length)
    answers.push(...take(chunk))
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
    leave: () => void socket.end(),
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
