import { writeFileSync } from "node:fs"
import { join } from "node:path"
import test from "ava"
import { parseUserList, readUserList } from "../../../common/cell/user-list.ts"
import { nodeDisk } from "../../../common/disk/node-disk.ts"
import { temporaryDirectory } from "../../support/temporary-directory.ts"

test("UserList: names are the first words of lines; what follows and what surrounds them does not count", (t) => {
  t.deepEqual(parseUserList("admin\n\tann\njoe.admin # text\nbob\r\neve@other.cell anything\n"), [
    "admin",
    "ann",
    "joe.admin",
    "bob",
    "eve@other.cell",
  ])
})

test("UserList: an extended line has the name in base64, of kind 0 only", (t) => {
  t.deepEqual(parseUserList(" 0 YWRtaW4= x\n 1 YWRtaW4= x\nann\n"), ["admin", "ann"])
})

test("UserList: a blank line ends the list, and so does a space without the extended form", (t) => {
  t.deepEqual(parseUserList("admin\n\nann\n"), ["admin"])
  t.deepEqual(parseUserList("admin\n   \nann\n"), ["admin"])
  t.deepEqual(parseUserList("admin\n ann\nbob\n"), ["admin"])
  t.deepEqual(parseUserList("\t\nann\n"), [])
})

test("UserList: a last line without a newline admits nobody", (t) => {
  t.deepEqual(parseUserList("admin\nann"), ["admin"])
  t.deepEqual(parseUserList("admin"), [])
})

test("UserList: a line is cut at 64 bytes, and the next one counts", (t) => {
  t.deepEqual(parseUserList(`${"x".repeat(70)}\nann\n`), ["x".repeat(64), "ann"])
})

test("UserList: no file names nobody", (t) => {
  const directory = temporaryDirectory(t)
  t.deepEqual(readUserList(directory, nodeDisk), [])
  writeFileSync(join(directory, "UserList"), "admin\n")
  t.deepEqual(readUserList(directory, nodeDisk), ["admin"])
})
