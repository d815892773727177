import { readFileSync, statSync, truncateSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import test, { type ExecutionContext } from "ava"
import type { DiskFile } from "../../../common/disk/disk.ts"
import { nodeDisk } from "../../../common/disk/node-disk.ts"
import { AfsError, FormatError, isAfsError } from "../../../common/error.ts"
import { tryFlock } from "../../../common/lock/record-lock.ts"
import { vnodeMask } from "../../../common/partition/inode-number.ts"
import { LinkTable } from "../../../common/partition/link-table.ts"
import { newLinkTable, rowOffset } from "../../../common/partition/link-table-format.ts"
import { seededRandom } from "../../support/random.ts"
import { spawnSource } from "../../support/spawned.ts"
import { temporaryDirectory } from "../../support/temporary-directory.ts"

const bytesOf = (hex: string): Uint8Array => Uint8Array.from(Buffer.from(hex.replaceAll(/\s/g, ""), "hex"))
const hexOf = (path: string): string => readFileSync(path).toString("hex")

/** The read-write, backup and read-only volume of one group, as OpenAFS left their table. */
const clonesTable = bytesOf(`
  1277 8799 0100 0000 0300 4900 4900 4900
  4900 0a00 0a00 0900 0300 0000 0300 0000
  0a00 0000 0300 0000 0300 0000 0900 0000
  1100 0000 0200`)

interface TableUnderTest {
  readonly path: string
  readonly table: LinkTable
  hex(): string
}

function tableOf(t: ExecutionContext, bytes: Uint8Array = newLinkTable()): TableUnderTest {
  const path = join(temporaryDirectory(t), "zzzzPM++++0")
  writeFileSync(path, bytes)
  const file = nodeDisk.open(path, "write")
  t.teardown(() => file.close())
  return { path, table: new LinkTable(file), hex: () => hexOf(path) }
}

test("link table: a new one is a stamp and one volume", (t) => {
  const { table, hex } = tableOf(t)
  table.checkStamp()
  t.is(hex(), "12778799010000000100")
  t.is(table.count(0, 0), 1)
})

test("link table: the worked examples, row by row", (t) => {
  const { table } = tableOf(t, bytesOf("1277 8799 0100 0000 0100 0100"))
  t.deepEqual([...table.rows()], [1, 1])
  const { table: clones } = tableOf(t, clonesTable)
  clones.checkStamp()
  t.is(clones.count(0, 0), 3, "three volumes")
  const counts = (vnode: number): number[] => [0, 1, 2, 3, 4].map((tag) => clones.count(vnode, tag))
  t.deepEqual(counts(1), [1, 1, 1, 0, 0], "three versions of the root directory")
  t.deepEqual(counts(2), [1, 1, 1, 0, 0], "three versions of a file")
  t.deepEqual(counts(5), [2, 1, 0, 0, 0])
  t.deepEqual(counts(8), [3, 0, 0, 0, 0], "one version in all three")
  t.deepEqual(counts(20), [1, 2, 0, 0, 0])
  t.deepEqual(counts(22), [2, 0, 0, 0, 0], "the last row")
  t.deepEqual(counts(23), [0, 0, 0, 0, 0], "beyond the end")
  t.deepEqual(counts(vnodeMask - 1), [0, 0, 0, 0, 0])
  t.is(clones.rows().length, 23)
})

test("link table: an odd byte at the end counts for nothing, as OpenAFS reads it", (t) => {
  const { table, path } = tableOf(t, clonesTable)
  truncateSync(path, clonesTable.length - 1)
  t.is(table.count(22, 0), 0)
  t.is(table.rows().length, 22)
})

test("link table: allocation takes the lowest tag that nobody uses, and sets it to one", (t) => {
  const { table, hex } = tableOf(t)
  t.deepEqual(table.allocate([2]), [0])
  t.deepEqual(table.allocate([2]), [1])
  t.deepEqual(table.allocate([5, 2, 1, 2]), [0, 2, 0, 3])
  t.is(hex(), `${"1277879901000000"}0100${"0100"}${"4902"}${"0000"}${"0000"}${"0100"}`)
  t.deepEqual(table.allocate([]), [])
})

test("link table: a slot freed in the middle of the tags is taken next", (t) => {
  const { table } = tableOf(t, clonesTable)
  table.change([{ vnode: 2, tag: 1, delta: -1 }])
  t.deepEqual(table.allocate([2]), [1])
  t.deepEqual(table.allocate([2]), [3])
})

// OpenAFS clears row 0 when a vnode runs out of tags, and then loses the table with the next clone that is removed.
test("link table: when all five tags of a vnode are in use nothing is taken, and row 0 stays", (t) => {
  const { table, hex } = tableOf(t)
  table.allocate([2, 2, 2, 2, 2])
  const before = hex()
  const error = t.throws(() => table.allocate([4, 2, 6]), { instanceOf: AfsError })
  t.is(error.code, "VDISKFULL")
  t.like(error.subject, { vnode: 2, offset: 12 })
  t.regex(error.message, /zzzzPM\+\+\+\+0 offset 12: all 5 versions of the vnode are in use/)
  t.is(hex(), before)
  t.is(table.count(0, 0), 1)
})

test("link table: changes tell what the counts are now, in the order of vnodes", (t) => {
  const { table } = tableOf(t, clonesTable)
  const results = table.change([
    { vnode: 8, tag: 0, delta: 1 },
    { vnode: 0, tag: 0, delta: -1 },
    { vnode: 8, tag: 0, delta: -2 },
    { vnode: 5, tag: 1, delta: -1 },
  ])
  t.deepEqual(results, [
    { vnode: 0, tag: 0, delta: -1, count: 2, lost: false },
    { vnode: 5, tag: 1, delta: -1, count: 0, lost: false },
    { vnode: 8, tag: 0, delta: 1, count: 4, lost: false },
    { vnode: 8, tag: 0, delta: -2, count: 2, lost: false },
  ])
  t.deepEqual([table.count(0, 0), table.count(5, 1), table.count(5, 0), table.count(8, 0)], [2, 0, 2, 2])
})

test("link table: a count never falls below zero; what was lost is told", (t) => {
  const { table, hex } = tableOf(t, clonesTable)
  const before = hex()
  const [beyond] = table.change([{ vnode: 1000, tag: 0, delta: -1 }])
  t.deepEqual(beyond, { vnode: 1000, tag: 0, delta: -1, count: 0, lost: true })
  t.is(hex(), before, "a row that does not exist is not made to hold 0")
  const results = table.change([
    { vnode: 7, tag: 0, delta: -1 },
    { vnode: 7, tag: 0, delta: -1 },
  ])
  t.deepEqual(
    results.map(({ count, lost }) => [count, lost]),
    [
      [0, false],
      [0, true],
    ],
  )
  t.is(table.count(7, 1), 1, "the neighbour is untouched")
})

test("link table: the eighth user of a file is refused, and then no count has changed", (t) => {
  const { table, hex } = tableOf(t, clonesTable)
  table.change([{ vnode: 8, tag: 0, delta: 4 }])
  t.is(table.count(8, 0), 7)
  const before = hex()
  const changes = [1, 5, 8, 10].map((vnode) => ({ vnode, tag: 0, delta: 1 }))
  const error = t.throws(() => table.change(changes), { instanceOf: AfsError })
  t.is(error.code, "EMLINK")
  t.like(error.subject, { vnode: 8, offset: 24 })
  t.is(hex(), before)
})

test("link table: a refusal late in a long batch takes back what earlier slices did", (t) => {
  const { table, hex } = tableOf(t)
  const changes = Array.from({ length: 70_000 }, (_, index) => ({ vnode: 2 * index + 2, tag: 0, delta: 1 }))
  table.change(changes)
  table.change([{ vnode: 140_000, tag: 0, delta: 6 }])
  const before = hex()
  t.is(t.throws(() => table.change(changes), { instanceOf: AfsError }).code, "EMLINK")
  t.is(hex(), before)
})

test("link table: vnodes far apart neither fill the file between them nor touch it", (t) => {
  const { table, path } = tableOf(t)
  const far = vnodeMask - 1
  t.deepEqual(table.allocate([far, 2, 40_000]), [0, 0, 0])
  t.deepEqual([table.count(2, 0), table.count(40_000, 0), table.count(far, 0), table.count(far - 2, 0)], [1, 1, 1, 0])
  const { size, blocks } = statSync(path)
  t.is(size, rowOffset(far) + 2)
  t.true(blocks * 512 < 1 << 20, "it is nearly all hole")
})

test("link table: places that no row has are refused before anything is touched", (t) => {
  const { table, hex } = tableOf(t, clonesTable)
  const before = hex()
  const wrong = [
    { vnode: 2, tag: 5 },
    { vnode: 2, tag: -1 },
    { vnode: 2, tag: 0.5 },
    { vnode: 0, tag: 1 },
    { vnode: -1, tag: 0 },
    { vnode: vnodeMask, tag: 0 },
    { vnode: 2 ** 26 + 2, tag: 0 },
    { vnode: Number.NaN, tag: 0 },
  ]
  for (const place of wrong) {
    const calls = [
      () =>
        table.change([
          { vnode: 1, tag: 0, delta: 1 },
          { ...place, delta: 1 },
        ]),
      () =>
        table.set([
          { vnode: 1, tag: 0, count: 5 },
          { ...place, count: 1 },
        ]),
      () => table.release([{ vnode: 1, tag: 0 }, place], () => t.fail("nothing is gone")),
    ]
    for (const call of calls) t.true(isAfsError(t.throws(call), "EINVAL"), JSON.stringify(place))
  }
  t.true(
    isAfsError(
      t.throws(() => table.allocate([1, 0])),
      "EINVAL",
    ),
  )
  t.is(hex(), before)
})

test("link table: release lowers counts and names, under the lock, the files that nobody uses any more", (t) => {
  const { table, path } = tableOf(t, clonesTable)
  using other = nodeDisk.open(path, "write")
  const gone: unknown[] = []
  const places = [
    { vnode: 8, tag: 0, name: "shared" },
    { vnode: 5, tag: 1, name: "last" },
    { vnode: 30, tag: 0, name: "unknown" },
    { vnode: 5, tag: 0, name: "one of two" },
    { vnode: 5, tag: 0, name: "two of two" },
  ]
  const results = table.release(places, (place) => {
    t.false(tryFlock(other.descriptor, "exclusive"), "the table is locked meanwhile")
    t.is(new LinkTable(other).count(place.vnode, place.tag) > 0, true, "and the tag is still taken")
    gone.push(place.name)
  })
  t.deepEqual(gone, ["last", "two of two"])
  t.deepEqual(
    results.map(({ place, count, lost }) => [place.name, count, lost]),
    [
      ["last", 0, false],
      ["one of two", 1, false],
      ["two of two", 0, false],
      ["shared", 2, false],
      ["unknown", 0, true],
    ],
  )
  t.is(table.row(5), 0)
  t.true(tryFlock(other.descriptor, "exclusive"), "the lock is free afterwards")
})

test("link table: a file that cannot be removed keeps its count", (t) => {
  const { table, hex } = tableOf(t, clonesTable)
  const before = hex()
  const failing = (): never => {
    throw new Error("EIO")
  }
  t.throws(() => table.release([{ vnode: 5, tag: 1 }], failing), { message: "EIO" })
  t.is(hex(), before)
})

/** Low halves of inodes, as a walk over an index gives them. */
const lowsOf = (places: readonly (readonly [vnode: number, tag: number])[]): Uint32Array =>
  Uint32Array.from(places.map(([vnode, tag]) => vnode + tag * 2 ** 26))

test("link table: counts of a whole volume are raised, lowered and released as one by one", (t) => {
  const { table, hex } = tableOf(t, clonesTable)
  const before = hex()
  const lows = lowsOf([
    [1, 0],
    [2, 1],
    [2, 2],
    [8, 0],
    [9000, 4],
  ])
  table.raiseAll(lows)
  t.deepEqual(
    [table.count(1, 0), table.count(2, 1), table.count(2, 2), table.count(8, 0), table.count(9000, 4)],
    [2, 2, 2, 4, 1],
  )
  table.lowerAll(lows)
  t.is(hex().slice(0, before.length), before)
  const gone: number[] = []
  t.deepEqual(
    table.releaseAll(lows, (index) => gone.push(index)),
    [4],
    "the last was nobody's",
  )
  t.deepEqual(gone, [0, 1, 2])
  t.deepEqual([table.row(1), table.row(2), table.count(8, 0)], [0x48, 0x01, 2])
})

test("link table: a whole volume's counts are raised all or not at all", (t) => {
  const { table, hex } = tableOf(t)
  const lows = lowsOf(Array.from({ length: 70_000 }, (_, index) => [2 * index + 2, 0] as const))
  table.raiseAll(lows)
  table.change([{ vnode: 140_000, tag: 0, delta: 6 }])
  const before = hex()
  t.is(t.throws(() => table.raiseAll(lows), { instanceOf: AfsError }).code, "EMLINK")
  t.is(hex(), before)
  for (const wrong of [lowsOf([[2, 5]]), lowsOf([[0, 1]]), lowsOf([[vnodeMask, 0]])]) {
    t.true(
      isAfsError(
        t.throws(() => table.raiseAll(wrong)),
        "EINVAL",
      ),
    )
  }
  t.throws(
    () =>
      table.raiseAll(
        lowsOf([
          [4, 0],
          [2, 0],
        ]),
      ),
    { instanceOf: RangeError },
  )
  t.is(hex(), before)
})

test("link table: counts are made exactly what a repair says, none above seven", (t) => {
  const { table, hex } = tableOf(t, clonesTable)
  table.set([
    { vnode: 30, tag: 4, count: 7 },
    { vnode: 2, tag: 1, count: 0 },
    { vnode: 0, tag: 0, count: 2 },
  ])
  t.deepEqual([table.count(30, 4), table.row(2), table.count(0, 0)], [7, 0b001_000_001, 2])
  const before = hex()
  for (const count of [8, -1, Number.NaN]) {
    t.is(t.throws(() => table.set([{ vnode: 2, tag: 0, count }]), { instanceOf: AfsError }).code, "EMLINK")
  }
  t.is(hex(), before)
  table.setRow(2, 0x8fff)
  t.is(table.row(2), 0x8fff)
})

test("link table: a stamp that is none, or cut off, is damage at a place", (t) => {
  for (const [bytes, message] of [
    [
      "1277 8798 0100 0000 0100",
      /link table stamp in .*zzzzPM\+\+\+\+0 offset 0: found 0x98877712\/1, wanted 0x99877712\/1/,
    ],
    ["1277 8799 0200 0000 0100", /found 0x99877712\/2/],
    ["1277 8799 01", /found 5 bytes, wanted 8/],
    ["", /found 0 bytes, wanted 8/],
  ] as const) {
    const { table } = tableOf(t, bytesOf(bytes))
    t.throws(() => table.checkStamp(), { instanceOf: FormatError, message })
    t.is(table.rows().length, bytes.length > 20 ? 1 : 0)
  }
})

test("link table: a table longer than all vnodes is damage, not a reason to read it all", (t) => {
  const { table, path } = tableOf(t)
  truncateSync(path, 2 ** 40)
  t.throws(() => table.rows(), {
    instanceOf: FormatError,
    message: /found 1099511627776 bytes, wanted at most 134217734/,
  })
})

test("link table: a batch ends as its changes one by one do", (t) => {
  const random = seededRandom(t)
  const [batched, single] = [tableOf(t), tableOf(t)]
  const vnodes = Array.from({ length: 60 }, () => 1 + random.below(5000))
  for (let round = 0; round < 200; round++) {
    const changes = Array.from({ length: random.below(20) }, () => ({
      vnode: random.pick(vnodes),
      tag: random.below(5),
      delta: random.below(3) - 1,
    }))
    try {
      batched.table.change(changes)
    } catch (error) {
      t.true(isAfsError(error, "EMLINK"))
      continue
    }
    for (const change of changes.toSorted((a, b) => a.vnode - b.vnode)) single.table.change([change])
  }
  t.deepEqual(batched.table.rows(), single.table.rows())
})

test("link table: on a disk without descriptors it works without locks", (t) => {
  const { path } = tableOf(t)
  using file = nodeDisk.open(path, "write")
  const inner: DiskFile = new Proxy(file, {
    get: (target, key) => {
      if (key === "descriptor") return -1
      const value = Reflect.get(target, key)
      return typeof value === "function" ? value.bind(target) : value
    },
  })
  t.deepEqual(new LinkTable(inner).allocate([2]), [0])
})

test("link table: two processes that change one row at once lose no change", async (t) => {
  const { table, path } = tableOf(t)
  const rounds = 1000
  const other = spawnSource(t, "test/common/partition/link-table.program.ts", [path, String(rounds)])
  await other.line(/ready/)
  for (let round = 0; round < rounds; round++) {
    table.change([{ vnode: 2, tag: 0, delta: 1 }])
    table.change([
      { vnode: 2, tag: 0, delta: -1 },
      { vnode: 4, tag: 1, delta: round % 2 === 0 ? 1 : -1 },
    ])
    const [tag = -1] = table.allocate([6])
    t.true(tag === 0 || tag === 1)
    table.release([{ vnode: 6, tag }], () => {})
  }
  const ended = await other.ended
  t.is(ended.status, 0, ended.stderr)
  t.deepEqual([table.row(2), table.row(4), table.row(6), table.count(0, 0)], [0, 0, 0, 1])
})

test("link table: while another holds its lock nothing changes, and the error says what could not be done", (t) => {
  const { table, path, hex } = tableOf(t)
  using other = nodeDisk.open(path, "write")
  t.true(tryFlock(other.descriptor, "exclusive"))
  const before = hex()
  const error = t.throws(() => table.allocate([2]), { instanceOf: AfsError })
  t.is(error.code, "LOCKED")
  t.regex(error.message, /^lockLinkTable: /)
  t.is(hex(), before)
})
