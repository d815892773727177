import { writeFileSync } from "node:fs"
import { join } from "node:path"
import test from "ava"
import { parseCellServers, readCellServers } from "../../../common/cell/cell-servers.ts"
import { nodeDisk } from "../../../common/disk/node-disk.ts"
import { FormatError } from "../../../common/error.ts"
import { temporaryDirectory } from "../../support/temporary-directory.ts"

const text = `>other.cell         #Other
192.0.2.1 #one.other
>test.cell linked.cell #Test
10.99.0.1\t\t\t#afshost
[10.99.0.2]  #clone.of.it

10.99.0.3 #third and more
`

test("CellServDB: cells have their servers in order, clones are told apart", (t) => {
  t.deepEqual(parseCellServers(text), [
    {
      name: "other.cell",
      linkedCell: undefined,
      servers: [{ address: 0xc000_0201, name: "one.other", isClone: false }],
    },
    {
      name: "test.cell",
      linkedCell: "linked.cell",
      servers: [
        { address: 0x0a63_0001, name: "afshost", isClone: false },
        { address: 0x0a63_0002, name: "clone.of.it", isClone: true },
        { address: 0x0a63_0003, name: "third", isClone: false },
      ],
    },
  ])
})

test("CellServDB: the last entry of a cell counts, whatever the case of its name", (t) => {
  const directory = temporaryDirectory(t)
  t.is(readCellServers(directory, "test.cell", nodeDisk), undefined)
  writeFileSync(join(directory, "CellServDB"), `${text}>TEST.cell\n10.0.0.9 #new\n`)
  t.deepEqual(
    readCellServers(directory, "Test.Cell", nodeDisk)?.servers.map(({ name }) => name),
    ["new"],
  )
  t.is(readCellServers(directory, "no.cell", nodeDisk), undefined)
})

test("CellServDB: a cell without servers is one", (t) => {
  t.deepEqual(parseCellServers(">empty.cell"), [{ name: "empty.cell", linkedCell: undefined, servers: [] }])
})

test("CellServDB: a line that is none fails the whole file, with its number", (t) => {
  const servers = Array.from({ length: 9 }, (_, index) => `10.0.0.${index} #s${index}\n`).join("")
  const wrong: readonly (readonly [string, RegExp])[] = [
    ["10.0.0.1 #early\n", /line 1.*cell/],
    [">c\n10.0.0.1\n", /line 2/],
    [">c\n10.0.0.1 #\n", /line 2/],
    [">c\n10.0.0.300 #x\n", /line 2/],
    [">c\n[10.0.0.1 #x\n", /line 2/],
    [">c\nwords\n", /line 2/],
    [">\n", /line 1/],
    [`>c\n${servers}`, /line 10.*8 servers/],
    [`>c #${"x".repeat(255)}\n`, /line 1.*255/],
  ]
  for (const [bad, message] of wrong)
    t.throws(() => parseCellServers(bad, "f"), { instanceOf: FormatError, message }, bad)
})
