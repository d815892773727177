/** What an OpenAFS fileserver saved of its clients. */
import { existsSync, mkdirSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import test from "ava"
import { isDiskError } from "../../../common/disk/disk.ts"
import { nodeDisk } from "../../../common/disk/node-disk.ts"
import { removeSavedClients } from "../../../common/volume/saved-clients.ts"
import { temporaryDirectory } from "../../support/temporary-directory.ts"

test("saved clients are removed, and their path is given; where nothing was saved, nothing is done", (t) => {
  const directory = temporaryDirectory(t)
  const path = join(directory, "fsstate.dat")
  t.is(removeSavedClients(directory, nodeDisk), undefined)
  t.is(removeSavedClients(join(directory, "absent"), nodeDisk), undefined)
  writeFileSync(path, "promises")
  t.is(removeSavedClients(directory, nodeDisk), path)
  t.false(existsSync(path))
})

test("saved clients that cannot be removed are an error: they would be believed", (t) => {
  const directory = temporaryDirectory(t)
  mkdirSync(join(directory, "fsstate.dat"))
  const error = t.throws(() => removeSavedClients(directory, nodeDisk))
  t.true(isDiskError(error))
})
