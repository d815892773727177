import { statSync } from "node:fs"
import { createConnection } from "node:net"
import { join } from "node:path"
import test from "ava"
import { FormatError } from "../../common/error.ts"
import { packFrame } from "../../fssync/frame.ts"
import { connectJson, type JsonChannel, jsonMark, listenJson, parseMessage } from "../../fssync/json-channel.ts"
import { packPlain } from "../../fssync/plain-msgpack.ts"
import { fuzz } from "../support/random.ts"
import { temporaryDirectory } from "../support/temporary-directory.ts"

type Context = Parameters<typeof temporaryDirectory>[0]

async function listening(t: Context, onChannel: (channel: JsonChannel) => void): Promise<string> {
  const path = join(temporaryDirectory(t), "test.sock")
  const server = await listenJson(path, "test", onChannel)
  t.teardown(() => server.close())
  return path
}

test("json channel: messages go both ways, in order, whatever their size", async (t) => {
  const path = await listening(t, (channel) =>
    channel.listen({ message: (message) => channel.send(message), closed: () => undefined }),
  )
  const channel = await connectJson(path)
  const sent = [1, 10, 100_000].map((size) => ({ type: "text", text: "ü".repeat(size) }))
  const received: unknown[] = []
  await new Promise<void>((resolve) => {
    channel.listen({
      message: (message) => {
        received.push(message)
        if (received.length === sent.length) resolve()
      },
      closed: () => resolve(),
    })
    for (const message of sent) channel.send(message)
  })
  t.deepEqual(received, sent)
  channel.close()
})

test("json channel: only its owner may open the socket, and nobody answers after the server has closed", async (t) => {
  const path = await listening(t, () => undefined)
  t.is(statSync(path).mode & 0o777, 0o600)
  await t.throwsAsync(connectJson(`${path}.other`), { code: "UNREACHABLE" })
})

test("json channel: a peer that sends anything else is hung up on, and others are served", async (t) => {
  const path = await listening(t, (channel) =>
    channel.listen({ message: (message) => channel.send(message), closed: () => undefined }),
  )
  for (const bytes of [Buffer.from("GET / HTTP/1.1\r\n\r\n"), packFrame(jsonMark, 5), packFrame(0x46, "{}")]) {
    await new Promise<void>((resolve) => {
      const socket = createConnection({ path }, () => socket.write(bytes))
      socket.on("error", () => undefined)
      socket.on("close", () => resolve())
    })
  }
  const channel = await connectJson(path)
  const answer = new Promise((resolve) => channel.listen({ message: resolve, closed: () => resolve(undefined) }))
  channel.send({ type: "still here" })
  t.deepEqual(await answer, { type: "still here" })
  channel.close()
})

test("json channel: only an object with a type is a message", (t) => {
  t.deepEqual(parseMessage(packPlain('{"type":"a","b":[1]}')), { type: "a", b: [1] })
  for (const text of ["[]", "5", "null", "{}", '{"type":5}', "{", '""']) {
    t.throws(() => parseMessage(packPlain(text)), { instanceOf: FormatError }, text)
  }
})

test("json channel: no bytes make a message throw anything but FormatError", (t) => {
  const good = packPlain('{"type":"run","values":{"a":[1,2,{"b":null}]}}')
  fuzz(t, (random) => {
    const bytes = Buffer.from(good)
    for (let flips = random.below(4); flips >= 0; flips--) bytes[random.below(bytes.length)] = random.below(256)
    try {
      parseMessage(bytes.subarray(0, random.below(bytes.length + 1)))
    } catch (error) {
      t.true(error instanceof FormatError, String(error))
    }
  })
  t.pass()
})
