import test from "ava"
import { checkEntryName, checkStoredName, entryNameFault } from "../../../common/directory/entry-name.ts"
import { AfsError, isAfsError } from "../../../common/error.ts"

const bytes = (name: string): Buffer => Buffer.from(name, "latin1")

test("entry name: any bytes but NUL and slash, 1 to 255 of them", (t) => {
  for (const name of ["a", "x".repeat(255), "\xff\xfe", " ", "\n", "\\", "@sys", "a@sys"])
    t.is(entryNameFault(bytes(name)), undefined, name)
  for (const name of ["", "x".repeat(256), "a\0b", "a/b", "/"]) t.is(typeof entryNameFault(bytes(name)), "string", name)
})

test("entry name: a refusal says what is wrong", (t) => {
  const refused: readonly (readonly [string, RegExp])[] = [
    ["", /empty/],
    ["x".repeat(300), /300 bytes, at most 255/],
    ["a\0", /NUL/],
    ["../x", /slash/],
  ]
  for (const [name, message] of refused) {
    const error = t.throws(() => checkStoredName(bytes(name), "makeFile"), { instanceOf: AfsError, message })
    t.true(isAfsError(error, "EINVAL") && error.operation === "makeFile")
  }
})

test("entry name: clients may not make names that end in @sys, which mean another name to them", (t) => {
  t.notThrows(() => checkStoredName(bytes("bin.@sys"), "x"))
  for (const name of ["bin.@sys", "@sys"])
    t.throws(() => checkEntryName(bytes(name), "x"), { instanceOf: AfsError, message: /@sys/ })
  for (const name of ["x@sysy", "sys", "@SYS", "s"]) t.notThrows(() => checkEntryName(bytes(name), "x"))
  t.throws(() => checkEntryName(bytes(""), "x"), { instanceOf: AfsError })
})
