import { writeFileSync } from "node:fs"
import { join } from "node:path"
import test from "ava"
import { DiskError } from "../../common/disk/disk.ts"
import { nodeDisk } from "../../common/disk/node-disk.ts"
import { AfsError } from "../../common/error.ts"
import { openFileserver } from "../../fssync/fileserver-link.ts"
import { scriptedFileserver } from "../support/scripted-fileserver.ts"
import { temporaryDirectory } from "../support/temporary-directory.ts"

const program = "volumeServer"

test("fileserver link: a fileserver that answers is used", async (t) => {
  const { stateDirectory } = await scriptedFileserver(t)
  const client = await openFileserver({ stateDirectory, program, offline: false })
  t.truthy(client)
  await client?.close()
})

test("fileserver link: without a socket the error says what to do", async (t) => {
  const stateDirectory = temporaryDirectory(t)
  const error = await t.throwsAsync(openFileserver({ stateDirectory, program, offline: false }), {
    instanceOf: AfsError,
  })
  t.is(error.code, "UNREACHABLE")
  t.regex(error.message, /--offline/)
  t.is(await openFileserver({ stateDirectory, program, offline: true }), undefined)
})

// With OpenAFS installed its state directory is root's alone, and every command of anybody else ended with a bare EACCES.
test("fileserver link: a state directory that may not be searched is named, with what to do", async (t) => {
  const cause = Object.assign(new Error("EACCES"), { code: "EACCES" })
  const stat = (path: string): never => {
    throw new DiskError("stat", path, cause)
  }
  const disk = { ...nodeDisk, stat }
  for (const offline of [false, true]) {
    await t.throwsAsync(openFileserver({ stateDirectory: "/root/state", program, offline, disk }), {
      code: "EACCES",
      message: /permission denied.*\/root\/state\/fssync\.sock.*--state-dir/,
    })
  }
})

test("fileserver link: a socket that nobody answers on is no silent licence to work without a fileserver", async (t) => {
  const stateDirectory = temporaryDirectory(t)
  writeFileSync(join(stateDirectory, "fssync.sock"), "")
  await t.throwsAsync(openFileserver({ stateDirectory, program, offline: false }), { code: "UNREACHABLE" })
  t.is(await openFileserver({ stateDirectory, program, offline: true }), undefined)
})

// Locks do not keep a tool apart from volumes that a fileserver has online.
test("fileserver link: working without a fileserver is refused while one answers", async (t) => {
  const { stateDirectory } = await scriptedFileserver(t)
  await t.throwsAsync(openFileserver({ stateDirectory, program, offline: true }), { code: "VONLINE" })
})
