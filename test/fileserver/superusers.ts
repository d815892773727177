import { mkdirSync, rmSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import test, { type ExecutionContext } from "ava"
import { secondsOf } from "../../common/clock.ts"
import { nodeDisk } from "../../common/disk/node-disk.ts"
import { superusersOf } from "../../fileserver/superusers.ts"
import { temporaryDirectory } from "../support/temporary-directory.ts"
import { virtualClock } from "../support/virtual-clock.ts"

function rig(t: ExecutionContext) {
  const directory = temporaryDirectory(t)
  const [configurationDirectory, stateDirectory] = [join(directory, "etc"), join(directory, "state")]
  mkdirSync(configurationDirectory)
  mkdirSync(stateDirectory)
  const warnings: string[] = []
  const log = { warn: (_facts: object, message: string) => void warnings.push(message) }
  const clock = virtualClock()
  const files = { configurationDirectory, stateDirectory, cell: "test.cell" }
  const expires = secondsOf(clock.now()) + 100
  const user = (name: string, cell = "", instance = "") => ({ name, cell, instance, expires })
  return { ...files, clock, warnings, user, superusers: superusersOf(files, nodeDisk, clock, log) }
}

test("superusers: without files only the cell's own ticket is one", (t) => {
  const { superusers, user } = rig(t)
  t.false(superusers.has(undefined))
  t.false(superusers.has(user("admin")))
  t.true(superusers.has(user("afs")))
})

test("superusers: UserList names them, foreign ones with their cell, and is looked at anew", (t) => {
  const { superusers, user, configurationDirectory } = rig(t)
  const list = join(configurationDirectory, "UserList")
  writeFileSync(list, "admin\njoe.admin\neve@other.cell\nadmin@test.cell\n")
  t.true(superusers.has(user("admin")))
  t.true(superusers.has(user("admin", "TEST.CELL")))
  t.true(superusers.has(user("joe", "", "admin")))
  t.true(superusers.has(user("eve", "OTHER.CELL")))
  t.false(superusers.has(user("Admin")))
  t.false(superusers.has(user("eve")))
  t.false(superusers.has(user("admin", "other.cell")))
  writeFileSync(list, "\n")
  t.false(superusers.has(user("admin")))
})

test("superusers: where NoAuth lies everybody is one, as long as it lies there", (t) => {
  const { superusers, stateDirectory } = rig(t)
  writeFileSync(join(stateDirectory, "NoAuth"), "")
  t.true(superusers.has(undefined))
  rmSync(join(stateDirectory, "NoAuth"))
  t.false(superusers.has(undefined))
})

test("superusers: a ticket that has ended makes nobody one", (t) => {
  const { superusers, user, clock } = rig(t)
  t.true(superusers.has(user("afs")))
  clock.advance(100_000)
  t.false(superusers.has(user("afs")))
})

test("superusers: a list that cannot be read names nobody, and the log says so", (t) => {
  const { superusers, user, configurationDirectory, warnings } = rig(t)
  mkdirSync(join(configurationDirectory, "UserList"))
  t.false(superusers.has(user("admin")))
  t.is(warnings.length, 1)
})
