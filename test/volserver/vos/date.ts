import test from "ava"
import { AfsError } from "../../../common/error.ts"
import { dateOrNever, parseDate, shownDate } from "../../../volserver/vos/date.ts"

test("date: as vos takes them, in local time", (t) => {
  const wanted = new Date(2026, 10, 21, 13, 36, 17).getTime() / 1000
  t.is(parseDate("11/21/2026 13:36:17"), wanted)
  t.is(parseDate("11/21/26 13:36"), wanted - 17)
  t.is(parseDate(" 11/21/2026 "), new Date(2026, 10, 21).getTime() / 1000)
  t.is(parseDate("01/02/71"), new Date(1971, 0, 2).getTime() / 1000)
})

test("date: seconds since 1970 and ISO 8601", (t) => {
  t.is(parseDate("0"), 0)
  t.is(parseDate("1795268177"), 1_795_268_177)
  t.is(parseDate("2026-11-21T13:36:17Z"), 1_795_268_177)
})

test("date: what is none is a usage error that says how to write one", (t) => {
  for (const words of ["", "soon", "13/45/2026", "02/30/2026", "-5", "99999999999", "1/2/3"]) {
    const error = t.throws(() => parseDate(words), { instanceOf: AfsError }, words)
    t.is(error.code, "USAGE")
    t.regex(error.message, /mm\/dd\/yyyy/)
  }
})

test("date: shown as ctime does, 0 as never", (t) => {
  t.regex(shownDate(1_795_268_177), /^[SMTWF][a-z]{2} Nov 2[012] \d\d:\d\d:17 2026$/)
  t.is(shownDate(new Date(2026, 0, 5, 1, 2, 3).getTime() / 1000), "Mon Jan  5 01:02:03 2026")
  t.is(dateOrNever(0), "Never")
})
