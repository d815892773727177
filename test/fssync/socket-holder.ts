import { createServer } from "node:net"
import { join } from "node:path"
import test from "ava"
import { nodeDisk } from "../../common/disk/node-disk.ts"
import { socketHolder } from "../../fssync/socket-holder.ts"
import { temporaryDirectory } from "../support/temporary-directory.ts"

test("socket holder: the listening process is found, and nobody where nobody listens", async (t) => {
  const path = join(temporaryDirectory(t), "with a space.sock")
  t.is(socketHolder(path, nodeDisk), undefined)
  const server = createServer()
  t.teardown(() => server.close())
  await new Promise<void>((resolve) => server.listen(path, resolve))
  t.is(socketHolder(path, nodeDisk), process.pid)
})

test("socket holder: a machine that does not tell is no error", (t) => {
  const disk = { ...nodeDisk, readFile: () => undefined, list: () => undefined }
  t.is(socketHolder("/nowhere", disk), undefined)
  const throwing = {
    ...nodeDisk,
    readFile: () => {
      throw new Error("not here")
    },
  }
  t.is(socketHolder("/nowhere", throwing), undefined)
})
