/** What a salvage says. */
import test from "ava"
import { type ReportStyle, reporter, summaryOf } from "../../salvager/report.ts"
import type { GroupResult, SalvageEvent } from "../../salvager/salvage.ts"

const finding: SalvageEvent = {
  type: "finding",
  partition: "/vicepa",
  done: true,
  code: "orphan-attached",
  severity: "repaired",
  group: 5,
  volume: 5,
  vnode: 44,
  unique: 26,
  path: "/api/\u001b[2J",
  text: "no directory leads to a vnode",
  repair: "attached as X",
}
const group = (status: GroupResult["status"], error?: GroupResult["error"]): GroupResult => ({
  type: "group",
  partition: "/vicepa",
  group: 5,
  status,
  volumes: [
    { volume: 5, name: "ann", fate: "kept", files: 3, blocks: 9 },
    { volume: 6, name: undefined, fate: "deleted", files: 0, blocks: 0 },
  ],
  counts: { note: 0, repaired: 1, loss: 0, left: 0 },
  files: 3,
  milliseconds: 7,
  ...(error === undefined ? {} : { error }),
})

function said(style: ReportStyle, events: readonly SalvageEvent[], readOnly = false): string {
  let text = ""
  const report = reporter(style, { write: (more: string) => (text += more) })
  for (const event of events) report.emit(event)
  const results = events.filter((event) => event.type === "group")
  report.end(summaryOf("/vicepa", readOnly, results))
  return text
}

test("report for people: where, what was wrong, what was done; nothing that would move the cursor", (t) => {
  const text = said("text", [finding, group("repaired")])
  t.regex(text, /repaired volume 5 \/api\/\\x1b\[2J \(vnode 44\.26\): no directory leads to a vnode; attached as X/)
  t.regex(
    text,
    /\/vicepa group 5: repaired \(7 ms\)\n {2}ann \(5\): 3 files, 9 blocks\n {2}\(without a name\) \(6\): deleted/,
  )
  t.regex(text, /\/vicepa: groups: 1 repaired; findings: 1 repaired\n$/)
})

test("report for people: without writing it says what would be, and what to do next", (t) => {
  const text = said("text", [{ ...finding, done: false }, group("damaged")], true)
  t.regex(text, /^DAMAGE .*; would be: attached as X/)
  t.regex(text, /Run again without --nowrite to repair\.\n$/)
})

test("report for people: how a salvage is taken back, on which partition", (t) => {
  const text = said("text", [{ ...group("repaired"), undo: "5-20261121T080241Z-1", path: "/srv/vicepa" }])
  t.regex(text, /is kept: dafs salvager --partition \/srv\/vicepa --undo 5-20261121T080241Z-1 takes it back\n/)
})

test("report for people: who is in the way, and what could not be done", (t) => {
  const text = said("text", [group("busy", { code: "LOCKED", message: "held by pid 7 (davolserver)" })])
  t.regex(text, /group 5: busy: held by pid 7 \(davolserver\)/)
  t.regex(text, /Some groups are in use/)
})

test("report for programs: one object per finding, group and run, phases left out", (t) => {
  const phase: SalvageEvent = { type: "phase", group: 5, phase: "scan", files: 0, done: 0, total: 0 }
  const lines = said("json", [phase, finding, group("repaired")])
    .trim()
    .split("\n")
  const objects = lines.map((line): unknown => JSON.parse(line))
  t.deepEqual(objects[0], finding)
  t.like(objects[1], { type: "group", status: "repaired" })
  t.like(objects[2], { type: "summary", groups: { repaired: 1, clean: 0 }, findings: { repaired: 1 } })
  t.is(objects.length, 3)
})

test("report as OpenAFS's log: every line begins with a date of its form", (t) => {
  for (const line of said("log", [finding, group("repaired")])
    .trim()
    .split("\n"))
    t.regex(line, /^[A-Z][a-z]{2} [A-Z][a-z]{2} \d{2} \d{2}:\d{2}:\d{2} \d{4} /)
})
