/** The socket below a client's connection, whatever form is spoken on it. */
import { createConnection, type Socket } from "node:net"

/**
 * Begins to connect. Chunks that come lie in one buffer that is used again: what of them is kept has to be copied. A buffer for
 * each costs more than the rest of receiving.
 */
export function openClientSocket(path: string, readBytes: number, receive: (chunk: Buffer) => void): Socket {
  const callback = (length: number, buffer: Uint8Array): boolean => {
    receive(Buffer.from(buffer.buffer, buffer.byteOffset, length))
    return true
  }
  return createConnection({ path, onread: { buffer: Buffer.allocUnsafeSlow(readBytes), callback } })
}

/**
 * Resolves when the socket is connected; from then on `broken` hears of its end. Rejects with the socket's error (`code` ENOENT,
 * ECONNREFUSED, EACCES, …).
 */
export function untilConnected(socket: Socket, broken: (cause: Error) => void): Promise<void> {
  return new Promise((resolve, reject) => {
    socket.once("error", reject)
    socket.once("connect", () => {
      socket.removeListener("error", reject)
      socket.on("error", broken)
      socket.on("close", () => broken(new Error("the server closed the connection")))
      resolve()
    })
  })
}
