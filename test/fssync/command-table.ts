import test from "ava"
import { fssyncProtocol, fssyncRows, salvsyncProtocol, salvsyncRows } from "../../fssync/command-table.ts"
import { fssyncCommands, salvsyncCommands } from "../../fssync/message.ts"

test("commands: every FSSYNC and SALVSYNC command has its row, under its number", (t) => {
  for (const [protocol, rows, numbers] of [
    [fssyncProtocol, fssyncRows, fssyncCommands],
    [salvsyncProtocol, salvsyncRows, salvsyncCommands],
  ] as const) {
    t.deepEqual(Object.fromEntries(Object.entries(rows).map(([name, row]) => [name, row.code])), { ...numbers })
    for (const [name, row] of Object.entries(rows)) {
      t.is(row.name, name)
      t.is(protocol.commands.get(row.code), row)
    }
    t.is(protocol.commands.size, Object.keys(numbers).length)
  }
})

test("commands: OpenAFS's numbers are those of its headers", (t) => {
  const { VOL_ON, VG_SCAN_ALL, VOL_GET } = fssyncCommands
  t.deepEqual([VOL_ON, VG_SCAN_ALL], [65536, 65559])
  t.true(VOL_GET > VG_SCAN_ALL + 1000, "ours leave room for theirs")
})

test("commands: what a second execution could harm is never sent again", (t) => {
  const once = Object.values(fssyncRows).filter((row) => !row.repeatable)
  t.deepEqual(
    once.map(({ name }) => name),
    ["VOL_FORCE_ERROR", "VOL_PUT"],
  )
  t.true(Object.values(salvsyncRows).every((row) => row.repeatable))
})

test("commands: the protocols' marks differ", (t) => {
  t.not(fssyncProtocol.mark, salvsyncProtocol.mark)
})
