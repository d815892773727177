import test from "ava"
import { parseHost } from "../../../common/rx/datagram-port.ts"
import { isBindFailure, openSystemSocket, writeSocketAddress } from "../../../common/rx/system-socket.ts"
import { openLibc } from "../../../common/system/libc.ts"

const host = parseHost("127.0.0.1") ?? 0

test("system socket: an address is laid out as sockaddr_in", (t) => {
  const view = new DataView(new ArrayBuffer(24))
  writeSocketAddress(view, 4, 0x0a63_0001, 7000)
  t.is(Buffer.from(view.buffer).toString("hex"), `00000000${"0200"}1b58${"0a630001"}${"00".repeat(12)}`)
})

test("system socket: it is bound where it says, and others learn why they are not", (t) => {
  const libc = openLibc()
  if (libc === undefined) return t.pass()
  const socket = openSystemSocket(libc, host, 0)
  t.teardown(socket.close)
  t.is(socket.host, host)
  t.true(socket.port > 0)
  const error = t.throws(() => openSystemSocket(libc, host, socket.port), { code: "EADDRINUSE" })
  t.true(isBindFailure(error))
  t.true(error.message.includes(`127.0.0.1:${socket.port}`))
  t.false(isBindFailure(new Error("bind")))
})
