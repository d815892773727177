/** Whole small calls as promises: a request in one piece, a reply in one piece. */
import { type RxError, rxCodes } from "./codes.ts"
import type { Connection } from "./connection.ts"

/** The most that a reply may have, unless said otherwise. */
const replyMax = 1 << 20

/**
 * Makes a call and gives its whole reply.
 * @throws RxError with the server's code, or with that of a timeout; RXGEN_CC_UNMARSHAL for a reply above `limit` bytes
 */
export function exchange(connection: Connection, request: Uint8Array, limit = replyMax): Promise<Uint8Array> {
  const pieces: Uint8Array[] = []
  let size = 0
  return new Promise((resolve, reject: (error: RxError) => void) => {
    const call = connection.newCall()
    let written = 0
    const write = (): void => {
      written += call.write(request, written)
      if (written === request.length) call.finish()
    }
    call.onRoom = write
    call.onEnd = (_, error) => {
      if (error !== undefined) reject(error)
      else resolve(pieces.length === 1 && pieces[0] !== undefined ? pieces[0] : Buffer.concat(pieces))
    }
    call.onData = () => {
      for (let piece = call.read(); piece !== undefined; piece = call.read()) {
        pieces.push(piece)
        size += piece.length
        if (size > limit) return call.abort(rxCodes.clientUnmarshal)
      }
    }
    write()
  })
}
