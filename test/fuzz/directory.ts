import test, { type ExecutionContext } from "ava"
import { Directory } from "../../common/directory/directory.ts"
import { findDirectoryFault } from "../../common/directory/directory-check.ts"
import { recoverEntries } from "../../common/directory/directory-recovery.ts"
import { AfsError, FormatError } from "../../common/error.ts"
import { type SampleDirectory, sampleDirectories } from "../support/dump-samples.ts"
import { fuzz, type Random } from "../support/random.ts"

// Of a thousand rounds each kind of page is met; the biggest would leave no time for others.
const bytesMax = 40_000
const samples = sampleDirectories().filter((sample) => sample.bytes.length <= bytesMax)

function damaged(random: Random, sample: SampleDirectory): Buffer {
  const image = Buffer.from(sample.bytes)
  for (let flips = 1 + random.below(12); flips > 0; flips--) {
    // Headers and chains are met as often as entries.
    const at = random.below(2) === 0 ? random.below(Math.min(image.length, 480)) : random.below(image.length)
    image[at] = random.below(3) === 0 ? random.below(256) : (image[at] ?? 0) ^ (1 << random.below(8))
  }
  const end = random.below(10)
  if (end === 0) return image.subarray(0, random.below(image.length + 1))
  return end === 1 ? Buffer.concat([image, random.bytes(random.below(5000))]) : image
}

/** Runs what may refuse: only with an AfsError or a FormatError that names file and offset. */
function orRefused<T>(t: ExecutionContext, act: () => T): T | undefined {
  try {
    return act()
  } catch (error) {
    if (error instanceof AfsError) return undefined
    if (!(error instanceof FormatError)) throw error
    if (error.path !== "directory file" || error.offset === undefined) t.fail(`without a place: ${error.message}`)
    return undefined
  }
}

function use(t: ExecutionContext, random: Random, image: Buffer, sample: SampleDirectory): void {
  const isSound = findDirectoryFault(image) === undefined
  const directory = orRefused(t, () => Directory.parse(Buffer.from(image), "directory file"))
  if (isSound && directory === undefined) t.fail("sound and refused")
  if (directory === undefined) return
  const entries = orRefused(t, () => [...directory.entries()])
  orRefused(t, () => [...directory.entriesInBlobOrder()])
  if (isSound && entries === undefined) t.fail("sound and not listed")
  const names = [...Directory.parse(sample.bytes).entries()].map((entry) => entry.name)
  const name = random.pick(names)
  const id = Directory.parse(sample.bytes).lookup(Buffer.from("."))
  if (id === undefined) throw new Error("a sample without .")
  orRefused(t, () => directory.lookup(name))
  orRefused(t, () => directory.remove(name))
  orRefused(t, () => directory.add(Buffer.from(`new ${"n".repeat(random.below(240))}`), id))
  orRefused(t, () => directory.change(random.pick(names), id))
  directory.takeChanges()
  if (!isSound) return
  const after = findDirectoryFault(directory.bytes)
  if (after !== undefined) t.fail(`sound before the change, not after: ${after.text}`)
}

test("fuzz: damaged directories are refused in words or used, and sound ones stay sound", (t) => {
  fuzz(t, (random) => {
    const sample = random.pick(samples)
    use(t, random, damaged(random, sample), sample)
  })
  t.pass()
})

test("fuzz: entries recovered from a damaged directory are those that were there, unless their own bytes changed", (t) => {
  fuzz(t, (random) => {
    const sample = random.pick(samples)
    const image = damaged(random, sample)
    const found = new Set(
      recoverEntries(image).map((entry) => `${entry.vnode}.${entry.unique} ${entry.name.toString("latin1")}`),
    )
    for (const entry of Directory.parse(sample.bytes).entries()) {
      const start = entry.blob * 32
      const end = start + 12 + entry.name.length + 1
      if (end > image.length || Buffer.compare(image.subarray(start, end), sample.bytes.subarray(start, end)) !== 0)
        continue
      const key = `${entry.vnode}.${entry.unique} ${entry.name.toString("latin1")}`
      // The next field may differ only in what follows it, so the entry is whole.
      if (!found.has(key) && !isCovered(image, sample, entry.blob))
        t.fail(`${sample.dump} ${sample.vnode}: ${key} was lost`)
    }
  })
  t.pass()
})

/** True if a damaged entry before this one now has a name that runs over it. */
function isCovered(image: Buffer, sample: SampleDirectory, blob: number): boolean {
  const from = Math.max(0, blob - 9) * 32
  return Buffer.compare(image.subarray(from, blob * 32), sample.bytes.subarray(from, blob * 32)) !== 0
}
