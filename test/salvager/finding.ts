import { readFileSync } from "node:fs"
import test from "ava"
import { Findings, findingCodes } from "../../salvager/finding.ts"
import { projectFile } from "../support/project.ts"

test("findings: each has its code's severity, text and repair, and the particulars", (t) => {
  const findings = new Findings(5)
  findings.add("vnode-length", { volume: 6, vnode: 4, detail: "7, the data file has 8" })
  findings.add("orphan-attached", { volume: 6, vnode: 2, repair: "attached as X" })
  const [first, second] = findings.list((_, vnode) => (vnode === 4 ? "/a/b" : undefined))
  t.like(first, { code: "vnode-length", severity: "repaired", group: 5, volume: 6, vnode: 4, path: "/a/b" })
  t.is(first?.text, `${findingCodes["vnode-length"].text}: 7, the data file has 8`)
  t.like(second, { repair: "attached as X", path: undefined })
  t.deepEqual(findings.counts(), { note: 0, repaired: 2, loss: 0, left: 0 })
})

test("findings: of very many of a kind the first are kept, the rest are counted; memory is bounded", (t) => {
  const findings = new Findings(5)
  for (let index = 0; index < 5000; index++) findings.add("orphan-left", { volume: 6, vnode: index })
  findings.add("orphan-left", { volume: 7, vnode: 1 })
  const list = findings.list(() => undefined)
  t.true(list.length < 1100)
  t.is(findings.count, 5001)
  t.is(findings.counts().left, 5001)
  t.regex(list.at(-1)?.text ?? "", /4000 more of these/)
})

test("findings: a loss or what is left never has the words of a repair that makes it good", (t) => {
  for (const [code, { severity, repair }] of Object.entries(findingCodes)) {
    t.true(repair.length > 0, code)
    if (severity === "left") t.notRegex(repair, /^set right$/, code)
  }
})

test("findings: the table in docs/salvager.md is the table of the code", (t) => {
  const text = readFileSync(projectFile("docs", "salvager.md"), "utf8")
  const documented = text.split("\n").filter((line) => /^\| `[a-z-]+` \|/.test(line))
  const wanted = Object.entries(findingCodes).map(
    ([code, { severity, text: wrong, repair }]) => `| \`${code}\` | ${severity} | ${wrong} | ${repair} |`,
  )
  t.deepEqual(documented, wanted)
})
