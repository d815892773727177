import test from "ava"
import { type LockPurpose, volumeLockType } from "../../../common/lock/lock-type.ts"
import { type ProgramType, programTypes } from "../../../common/protocol/codes.ts"

const modes: LockPurpose[] = ["READONLY", "CLONE", "VOLUPD", "DUMP", "SECRETLY", "PEEK", "create"]
const programs: ProgramType[] = ["none", "fileServer", "volumeUtility", "salvager", "salvageServer", "debugUtility"]
const others: ProgramType[] = ["volumeServer", "volumeUtility", "debugUtility", "none"]

/** Lock of a read-write and of a read-only or backup volume, in the order of `modes`. */
const expected = ["rr", "wr", "ww", "wr", "ww", "--", "ww"]
const letter = { read: "r", write: "w", none: "-" } as const

test("lock type: a volserver or utility takes what its mode says, for each type of volume", (t) => {
  for (const program of others) {
    const found = modes.map(
      (mode) => letter[volumeLockType(program, mode, "readwrite")] + letter[volumeLockType(program, mode, "readonly")],
    )
    t.deepEqual(found, expected, program)
  }
})

test("lock type: the fileserver writes a read-write volume and shares the others, whatever mode is named", (t) => {
  for (const mode of [undefined, ...modes]) {
    t.is(volumeLockType("fileServer", mode, "readwrite"), "write")
    t.is(volumeLockType("fileServer", mode, "readonly"), "read")
  }
})

test("lock type: a salvager has a volume for itself, of any type and in any mode", (t) => {
  for (const program of ["salvager", "salvageServer", "volumeSalvager"] as const) {
    for (const mode of [undefined, ...modes]) {
      t.is(volumeLockType(program, mode, "readwrite"), "write")
      t.is(volumeLockType(program, mode, "readonly"), "write")
    }
  }
})

test("lock type: a program that forgot its mode is stopped, and gets no lock too weak", (t) => {
  for (const program of others)
    t.throws(() => volumeLockType(program, undefined, "readonly"), { instanceOf: TypeError })
})

test("lock type: two programs that may change a read-write volume never share it", (t) => {
  const changing = ["CLONE", "VOLUPD", "DUMP", "SECRETLY", "create"] as const
  for (const mode of changing) t.is(volumeLockType("volumeServer", mode, "readwrite"), "write")
  t.is(
    programs.every((program) => program in programTypes),
    true,
  )
})
