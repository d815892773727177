import test from "ava"
import { DataFiles } from "../../salvager/data-files.ts"
import { seededRandom } from "../support/random.ts"

const facts = (vnode: number, unique: number, tag: number) => ({ vnode, unique, tag, size: unique, version: tag })

test("data files: in whatever order they were found, those of one vnode are found together", (t) => {
  const random = seededRandom(t)
  const files = new DataFiles()
  const all = Array.from({ length: 3000 }, (_, index) => facts(random.below(500), index, random.below(5)))
  for (const { vnode, unique, tag, size, version } of all) files.scanned.add(vnode, unique, tag, size, version)
  files.sort()
  t.is(files.found, all.length)
  for (let vnode = 0; vnode < 501; vnode++) {
    const found = files.ofVnode(vnode).map((file) => files.unique(file))
    const wanted = all.filter((one) => one.vnode === vnode).map(({ unique }) => unique)
    t.deepEqual(found.sort(), wanted.sort())
  }
  for (const { vnode, unique, tag } of all) {
    const file = files.find(vnode, unique, tag)
    t.deepEqual([files.vnode(file), files.size(file), files.version(file)], [vnode, unique, tag])
  }
  t.is(files.find(7, 0xffff_ffff, 0), -1)
})

test("data files: vnode numbers with great gaps are ordered as well as those without", (t) => {
  const files = new DataFiles()
  for (const vnode of [0x3ff_fffe, 2, 0x100_0000, 1, 2]) files.scanned.add(vnode, vnode, 0, 0, 0)
  files.sort()
  t.deepEqual(
    Array.from({ length: files.found }, (_, file) => files.vnode(file)),
    [1, 2, 2, 0x100_0000, 0x3ff_fffe],
  )
})

test("data files: a planned one follows those that exist, and keeps their positions", (t) => {
  const files = new DataFiles()
  files.sort()
  t.is(files.plan(facts(4, 9, 1)), 0)
  t.deepEqual([files.found, files.count], [0, 1])
  t.deepEqual(files.ofVnode(4), [0])
  t.is(files.find(4, 9, 1), -1, "it is not on the disk")
  files.use(0)
  files.use(0)
  files.use(0, -1)
  t.is(files.users(0), 1)
})
