import test from "ava"
import { attachModes, codes, programTypeName, programTypes, volumeTypes } from "../../../common/protocol/codes.ts"

/** afs/errors.h, volser/volerr.et and errno(3), as other programs have them compiled in. */
const numbers = {
  VSALVAGE: 101,
  VNOVNODE: 102,
  VNOVOL: 103,
  VVOLEXISTS: 104,
  VNOSERVICE: 105,
  VOFFLINE: 106,
  VONLINE: 107,
  VDISKFULL: 108,
  VOVERQUOTA: 109,
  VBUSY: 110,
  VMOVED: 111,
  VIO: 112,
  VSALVAGING: 113,
  VRESTARTING: -100,
  VREADONLY: 30,
  VOLSERVOLBUSY: 1_492_325_133,
  EXDEV: 18,
  EINVAL: 22,
  EEXIST: 17,
  ENOENT: 2,
  EFBIG: 27,
  EACCES: 13,
  EMLINK: 31,
  EPERM: 1,
  E2BIG: 7,
  EAGAIN: 11,
  ENOTDIR: 20,
  EISDIR: 21,
  ENAMETOOLONG: 36,
  ENOTEMPTY: 39,
  ELOOP_QUIRK: 90,
} as const

test("codes: numbers are those that other programs of a cell know", (t) => {
  for (const [name, number] of Object.entries(numbers)) t.is(codes[name as keyof typeof numbers].number, number, name)
})

test("codes: no number has two names", (t) => {
  const given = Object.values(codes).map((row) => row.number)
  const wired = given.filter((number) => number !== undefined)
  t.is(new Set(wired).size, wired.length)
})

test("codes: every sentence can stand in the middle of a message", (t) => {
  for (const { sentence } of Object.values(codes)) {
    t.regex(sentence, /^[a-z].*[^.]$/)
  }
})

test("program types: the numbers of FSSYNC and of VolumeInfo's inUse", (t) => {
  t.deepEqual(
    { ...programTypes },
    {
      none: 0,
      fileServer: 1,
      volumeUtility: 2,
      salvager: 3,
      salvageServer: 4,
      debugUtility: 5,
      volumeServer: 6,
      volumeSalvager: 7,
    },
  )
  t.is(programTypeName(6), "volumeServer")
  t.is(programTypeName(0), "none")
  t.is(programTypeName(211), "unknown(211)")
})

test("attach modes and volume types: the numbers of NEEDVOLUME and of VolumeInfo", (t) => {
  t.deepEqual({ ...attachModes }, { READONLY: 1, CLONE: 2, VOLUPD: 3, DUMP: 4, SECRETLY: 5, PEEK: 6 })
  t.deepEqual({ ...volumeTypes }, { RW: 0, RO: 1, BK: 2 })
})
