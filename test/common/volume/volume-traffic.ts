import test from "ava"
import { Attachment } from "../../../common/volume/attachment.ts"
import { newVolumeHeader } from "../../../common/volume/volume-header.ts"
import { newVolumeInfo, volumeInfoLayout } from "../../../common/volume/volume-info.ts"
import { countNames, countRead, countStore, countWrite, type TrafficBy } from "../../../common/volume/volume-traffic.ts"

const now = 1_800_000_000
const near: TrafficBy = { author: 7, now, isNear: true, isNamed: false }

function attachment(fields: Parameters<typeof newVolumeInfo>[0] = {}): Attachment {
  return new Attachment(newVolumeHeader(5, 5), volumeInfoLayout.encode(newVolumeInfo({ id: 5, ...fields })))
}

test("traffic: reads and writes are told apart by network, and those of named callers counted twice", (t) => {
  const of = attachment()
  countRead(of, near)
  countRead(of, { ...near, isNamed: true })
  countRead(of, { ...near, isNear: false })
  countWrite(of, { ...near, isNear: false, isNamed: true })
  t.deepEqual([...of.info.statReads], [2, 1, 1, 0])
  t.deepEqual([...of.info.statWrites], [0, 0, 1, 1])
})

test("traffic: a change counts by its age and by whose change was before it", (t) => {
  const of = attachment()
  const ages = [0, 59, 60, 599, 600, 3_599, 3_600, 86_399, 86_400, 604_799, 604_800, 2 ** 30, -1]
  for (const age of ages) countStore(of, near, { author: 7, unixModifyTime: now - age })
  countStore(of, near, { author: 8, unixModifyTime: now - 3_600 })
  countNames(of, near, { author: 7, unixModifyTime: now - 60 })
  countNames(of, near, { author: 8, unixModifyTime: now })
  const { statFileSameAuthor, statFileDiffAuthor, statDirSameAuthor, statDirDiffAuthor, statWrites } = of.info
  t.deepEqual([...statFileSameAuthor], [2, 2, 2, 2, 2, 3], "a time to come is long ago, as for OpenAFS")
  t.deepEqual([...statFileDiffAuthor], [0, 0, 0, 1, 0, 0])
  t.deepEqual([...statDirSameAuthor], [0, 1, 0, 0, 0, 0])
  t.deepEqual([...statDirDiffAuthor], [1, 0, 0, 0, 0, 0])
  t.is(statWrites[0], ages.length + 3)
})

test("traffic: a counter that is full begins again, and touches no other", (t) => {
  const of = attachment({ statReads: [0xffff_ffff, 1, 2, 3] })
  countRead(of, near)
  t.deepEqual([...of.info.statReads], [0, 1, 2, 3])
})
