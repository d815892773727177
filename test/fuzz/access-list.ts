import { isDeepStrictEqual } from "node:util"
import test from "ava"
import { FormatError } from "../../common/error.ts"
import {
  decodeAccessList,
  encodeAccessList,
  findAccessListFault,
  turnAccessList,
} from "../../common/vnode/access-list.ts"
import { fuzz } from "../support/random.ts"

test("fuzz: any 192 bytes are an access list that survives writing and turning, or a FormatError", (t) => {
  fuzz(t, (random) => {
    const area = Buffer.from(random.bytes(192))
    // Random counts are nearly never right: make them so now and then.
    if (random.below(4) > 0) {
      const total = random.below(24) - 2
      const positive = random.below(8) === 0 ? random.below(30) : random.below(total + 1)
      for (const [index, value] of [20 + 8 * total, 1, total, positive, total - positive].entries())
        area.writeInt32LE(value, 4 * index)
    }
    try {
      const list = decodeAccessList(area, "disk", "index")
      const written = encodeAccessList(list, "disk", area)
      if (!isDeepStrictEqual(decodeAccessList(written), list)) t.fail("changed by writing")
      const turned = Buffer.from(area)
      turnAccessList(turned, "disk")
      if (!isDeepStrictEqual(decodeAccessList(turned, "dump"), list)) t.fail("changed by turning")
      turnAccessList(turned, "dump")
      if (!turned.equals(area)) t.fail("turning twice changed something")
    } catch (error) {
      if (!(error instanceof FormatError) || findAccessListFault(area) === undefined) throw error
    }
  })
  t.pass()
})
