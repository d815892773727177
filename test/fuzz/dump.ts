import test from "ava"
import { DumpReader, DumpReaderLater } from "../../common/dump/dump-reader.ts"
import { AfsError, FormatError } from "../../common/error.ts"
import { allSampleDumps, chunksOf, sourceOf } from "../support/dump-samples.ts"
import { difference, transcript, transcriptLater } from "../support/dump-transcript.ts"
import { fuzz, fuzzMs, type Random, seededRandom } from "../support/random.ts"

const samples = allSampleDumps().filter((dump) => dump.bytes.length < 30_000)

/** Offsets that are worth changing: headers and the starts of sections, more than the bytes of files. */
function somewhere(random: Random, bytes: Buffer): number {
  return random.below(2) === 0 ? random.below(Math.min(bytes.length, 700)) : random.below(bytes.length)
}

function damaged(random: Random): Buffer {
  let bytes = Buffer.from(random.pick(samples).bytes)
  for (let count = 1 + random.below(8); count > 0; count--) {
    const at = somewhere(random, bytes)
    const kind = random.below(6)
    if (kind < 3) bytes[at] = kind === 0 ? random.below(256) : (bytes[at] ?? 0) ^ (1 << random.below(8))
    else if (kind === 3)
      bytes = Buffer.concat([bytes.subarray(0, at), random.bytes(random.below(40)), bytes.subarray(at)])
    else if (kind === 4) bytes = Buffer.concat([bytes.subarray(0, at), bytes.subarray(at + random.below(40))])
    else bytes = Buffer.from(bytes.subarray(0, random.below(20) === 0 ? at : bytes.length))
  }
  return bytes
}

/** Reads to the end; only a FormatError that names file and offset may come in between. */
function read(bytes: Buffer): void {
  const reader = new DumpReader(sourceOf(bytes), { path: "stream" })
  try {
    while (reader.next().kind !== "end");
  } catch (error) {
    if (error instanceof AfsError) return
    if (
      !(error instanceof FormatError) ||
      error.path !== "stream" ||
      error.offset === undefined ||
      error.offset > bytes.length
    )
      throw error
  }
}

test("fuzz: a damaged dump is read, or refused with file and offset", (t) => {
  fuzz(t, (random) => read(damaged(random)))
  t.pass()
})

test("fuzz: how a damaged dump arrives makes no difference to what is read of it", async (t) => {
  const random = seededRandom(t)
  const pieceOf = (): number => 1 + random.below(random.pick([2, 40, 3000]))
  for (const end = performance.now() + fuzzMs; performance.now() < end; ) {
    const bytes = damaged(random)
    const wanted = transcript(new DumpReader(sourceOf(bytes)))
    const small = new DumpReader(sourceOf(bytes, pieceOf), { windowBytes: 1 })
    t.is(difference(transcript(small, new Uint8Array(1 + random.below(9000))), wanted), undefined)
    t.is(difference(await transcriptLater(new DumpReaderLater(chunksOf(bytes, pieceOf))), wanted), undefined)
  }
})
