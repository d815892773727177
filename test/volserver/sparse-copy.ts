import { readFileSync, statSync } from "node:fs"
import { join } from "node:path"
import test, { type ExecutionContext } from "ava"
import { nodeDisk } from "../../common/disk/node-disk.ts"
import { writeSparse } from "../../volserver/sparse-copy.ts"
import { seededRandom } from "../support/random.ts"
import { temporaryDirectory } from "../support/temporary-directory.ts"

/** Writes bytes in pieces, sets the length as a restore does, and gives what is in the file. */
function written(t: ExecutionContext, bytes: Uint8Array, piece: number): { content: Buffer; blocks: number } {
  const path = join(temporaryDirectory(t), "file")
  using file = nodeDisk.open(path, "create", 0o600)
  let end = 0
  for (let at = 0; at < bytes.length; at += piece) {
    end = Math.max(end, writeSparse(file, bytes.subarray(at, at + piece), at))
  }
  if (end < bytes.length) file.truncate(bytes.length)
  return { content: readFileSync(path), blocks: statSync(path).blocks }
}

test("sparse copy: any mixture of zero and other blocks comes out as it went in", (t) => {
  const random = seededRandom(t)
  for (let round = 0; round < 60; round++) {
    const bytes = new Uint8Array(random.below(40_000))
    for (let block = 0; block * 4096 < bytes.length; block++) {
      if (random.below(2) === 0) continue
      bytes[Math.min(bytes.length - 1, block * 4096 + random.below(4096))] = 1 + random.below(255)
    }
    t.deepEqual(Buffer.compare(written(t, bytes, 16_384).content, bytes), 0, `round ${round}`)
  }
})

test("sparse copy: zero blocks take no space", (t) => {
  const size = 244 * 4096
  t.is(written(t, new Uint8Array(size), 256 * 1024).blocks, 0)
  const one = new Uint8Array(size)
  one[500_000] = 1
  t.true(written(t, one, 256 * 1024).blocks <= 16)
})

test("sparse copy: a last block that is not whole is written, zero or not", (t) => {
  t.is(written(t, new Uint8Array(100), 4096).content.length, 100)
  t.is(written(t, new Uint8Array(4196), 8192).content.length, 4196)
})
