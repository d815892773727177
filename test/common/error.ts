import test from "ava"
import { AfsError, FormatError, isAfsError } from "../../common/error.ts"

test("error: an answer says operation, sentence, code, subject and cause, in this order", (t) => {
  const cause = new Error("VnodeRecord 17 has magic 0x0")
  const error = new AfsError("VSALVAGE", "attachVolume", { volume: 536_870_915, partition: "/vicepa" }, { cause })
  t.is(
    error.message,
    "attachVolume: volume needs salvage (VSALVAGE), volume 536870915 on /vicepa: VnodeRecord 17 has magic 0x0",
  )
  t.is(error.code, "VSALVAGE")
  t.is(error.operation, "attachVolume")
  t.deepEqual(error.subject, { volume: 536_870_915, partition: "/vicepa" })
  t.is(error.cause, cause)
})

test("error: every known part of the subject is in the text, and nothing unknown", (t) => {
  const everything = {
    volume: 1,
    partition: "/vicepb",
    vnode: 3,
    path: "/x",
    offset: 64,
    holder: "pid 4711 (davolserver)",
  }
  t.is(
    new AfsError("VBUSY", "move", everything).message,
    "move: volume is busy (VBUSY), volume 1 on /vicepb vnode 3 file /x offset 64 held by pid 4711 (davolserver)",
  )
  t.is(new AfsError("USAGE", "parse").message, "parse: wrong arguments (USAGE)")
  t.is(
    new AfsError("VIO", "read", { volume: 0, offset: 0 }).message,
    "read: input/output error (VIO), volume 0 offset 0",
  )
})

test("error: a detail is said instead of the cause's text; a cause that is no Error adds none", (t) => {
  const cause = new Error("hidden")
  t.is(new AfsError("EINVAL", "x", {}, { detail: "told", cause }).message, "x: invalid argument (EINVAL): told")
  t.is(new AfsError("EINVAL", "x", {}, { cause: 5 }).message, "x: invalid argument (EINVAL)")
  t.false("cause" in new AfsError("EINVAL", "x"))
})

test("error: damage says what, where, what was found and what was wanted", (t) => {
  const error = new FormatError("volume header", { path: "/vicepa/V1.vol", offset: 0 }, "magic 0x0", "0x88a1bb3c")
  t.is(error.message, "volume header in /vicepa/V1.vol offset 0: found magic 0x0, wanted 0x88a1bb3c")
  t.is(new FormatError("frame", { offset: 8 }, "3 bytes").message, "frame in offset 8: found 3 bytes")
  t.is(new FormatError("frame", {}, "3 bytes", "4").message, "frame: found 3 bytes, wanted 4")
  t.is(error.what, "volume header")
})

test("error: codes are told apart without looking at texts", (t) => {
  const error = new AfsError("VNOVOL", "find")
  t.true(isAfsError(error))
  t.true(isAfsError(error, "VSALVAGE", "VNOVOL"))
  t.false(isAfsError(error, "VSALVAGE"))
  t.false(isAfsError(new FormatError("x", {}, "y"), "DAMAGED"))
  t.false(isAfsError(undefined))
})
