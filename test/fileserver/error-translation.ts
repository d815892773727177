import test from "ava"
import { translateErrno } from "../../fileserver/error-translation.ts"

const base = 49_733_376

test("error translation: errnos become the places of OpenAFS's table, as its clients know them", (t) => {
  const table = [
    [1, 0],
    [2, 1],
    [13, 12],
    [17, 16],
    [22, 21],
    [40, 39],
    [57, 56],
    [59, 57],
    [90, 88],
    [122, 120],
    [124, 122],
  ] as const
  for (const [errno, index] of table) t.is(translateErrno(errno), base + index, `errno ${errno}`)
})

test("error translation: AFS's own codes, negative ones and those the table does not have stay", (t) => {
  for (const code of [0, -1, -32, -100, -455, 58, 101, 106, 110, 112, 120, 125, 511, 1234, 19_270_409])
    t.is(translateErrno(code), code)
})
