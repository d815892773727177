import test from "ava"
import { DiskError } from "../../../common/disk/disk.ts"
import { AfsError, FormatError } from "../../../common/error.ts"
import { fileCallError, tellsDamage } from "../../../common/volume/damage.ts"

const failed = (code: string): DiskError => new DiskError("write", "file", Object.assign(new Error(code), { code }), 7)

test("damage: bytes that are not what they must be, and changes that broke off, call for a salvage; answers do not", (t) => {
  t.true(tellsDamage(new FormatError("record", {}, "nothing")))
  t.true(tellsDamage(new AfsError("VSALVAGE", "change")))
  t.true(tellsDamage(new AfsError("DAMAGED", "release")))
  for (const code of ["VIO", "VDISKFULL", "ENOENT", "VNOVNODE"] as const) t.false(tellsDamage(new AfsError(code, "x")))
  t.false(tellsDamage(failed("EIO")))
})

test("damage: a failed file call becomes what clients get, and keeps its cause", (t) => {
  for (const [errno, code] of [
    ["ENOSPC", "VDISKFULL"],
    ["EDQUOT", "VDISKFULL"],
    ["EFBIG", "EFBIG"],
    ["EIO", "VIO"],
    ["EMFILE", "VBUSY"],
    ["ENFILE", "VBUSY"],
    ["ENOMEM", "VBUSY"],
  ] as const) {
    const error = fileCallError(failed(errno), "storeData", { volume: 5, vnode: 4 })
    t.like(error, { code, subject: { volume: 5, vnode: 4 } })
    t.true(error instanceof Error && error.cause instanceof DiskError)
  }
  const other = new FormatError("record", {}, "nothing")
  t.is(fileCallError(other, "x", {}), other)
})
