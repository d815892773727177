import { writeFileSync } from "node:fs"
import { join } from "node:path"
import test from "ava"
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
