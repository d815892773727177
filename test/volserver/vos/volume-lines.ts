import test from "ava"
import type { VolumeStatus } from "../../../volserver/operations/examine.ts"
import { shownDate } from "../../../volserver/vos/date.ts"
import { longLines, shortLine } from "../../../volserver/vos/volume-lines.ts"

const date = 1_795_268_177
const volume: VolumeStatus = {
  ...{ id: 536_870_912, name: "t.one", type: "RW", partition: "/vicepa", path: "/vicepa", condition: "online" },
  ...{ why: undefined, source: "disk", parentId: 536_870_912, cloneId: 536_870_913, backupId: 536_870_914 },
  ...{ diskused: 2, maxquota: 5000, minquota: 0, filecount: 1, owner: 0, accountNumber: 0, uniquifier: 2 },
  ...{ inUse: "none", inService: true, blessed: true, needsSalvaged: false, destroyMe: false },
  ...{ creationDate: date, copyDate: date, backupDate: 0, accessDate: 0, updateDate: date, expirationDate: 0 },
  ...{ dayUse: 0, weekUse: 0, updateCounter: 0, offlineMessage: "" },
  statistics: {
    ...{ reads: [1, 2, 3, 4], writes: [5, 6, 7, 12_345_678] },
    ...{
      fileSameAuthor: [1, 0, 0, 0, 0, 0],
      fileDiffAuthor: [2],
      dirSameAuthor: [3],
      dirDiffAuthor: [4, 0, 0, 0, 0, 9],
    },
  },
}

// Scripts cut these lines by column: the text is what vos of OpenAFS 1.8.9 prints.
test("volume lines: a line of listvol, and the first of examine", (t) => {
  t.is(shortLine(volume), "t.one                             536870912 RW          2 K On-line\n")
  t.is(shortLine(volume, "  "), "t.one                             536870912 RW          2 K  On-line\n")
})

test("volume lines: all that examine shows", (t) => {
  const when = shownDate(date)
  t.is(
    longLines(volume),
    [
      "t.one                             536870912 RW          2 K  On-line",
      "    /vicepa ",
      "    RWrite  536870912 ROnly  536870913 Backup  536870914 ",
      "    MaxQuota       5000 K ",
      `    Creation    ${when}`,
      `    Copy        ${when}`,
      "    Backup      Never",
      `    Last Update ${when}`,
      "    0 accesses in the past day (i.e., vnode references)",
      "",
      "",
    ].join("\n"),
  )
})

test("volume lines: the tables of extended", (t) => {
  const lines = longLines(volume, true).split("\n")
  t.is(lines[0], "t.one                             536870912 RW          2 K used 1 files On-line")
  t.true(lines.includes("Reads     |        1 |        2 |        3 |        4 |"))
  t.true(lines.includes("Writes    |        5 |        6 |        7 | 12345678 |"))
  t.true(lines.includes("0-60 sec  |        1 |        2 |        3 |        4 |"))
  t.true(lines.includes("> 1wk     |        0 |        0 |        0 |        9 |"))
})

test("volume lines: why a volume is not online, and one that cannot be read", (t) => {
  t.regex(shortLine({ ...volume, condition: "offline", why: "out of service" }), / K Off-line {2}\(out of service\)\n$/)
  t.regex(shortLine({ ...volume, condition: "busy", why: "checked out by pid 5" }), / K is busy {2}\(checked out/)
  t.regex(
    longLines({ ...volume, condition: "unreadable", why: "short" }),
    /^\*\*\*\* Could not attach volume 536870912/,
  )
})

test("volume lines: a name with control characters cannot move the cursor", (t) => {
  t.regex(shortLine({ ...volume, name: "a\x1b[2J" }), /^a\\x1b\[2J/)
})
