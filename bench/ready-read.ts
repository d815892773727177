/**
 * What does it cost to ask the kernel whether bytes are at hand (preadv2 with RWF_NOWAIT) instead of reading them with the
 * chance of a wait? And what does the later face cost, which is taken where they are not?
 */
import { closeSync, openSync, readSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { nodeDisk } from "../common/disk/node-disk.ts"
import { libcAbsence } from "../common/system/libc.ts"
import { type Answer, answer, inTemporaryDirectory, microseconds, report } from "./measure.ts"

const fileBytes = 1 << 20
const sizes = [4 << 10, 64 << 10, 128 << 10]
const calls = 5_000

async function compare(path: string, size: number): Promise<Answer[]> {
  using file = nodeDisk.open(path, "read")
  const descriptor = openSync(path, "r")
  const into = new Uint8Array(size)
  const position = (index: number): number => (index * size) % (fileBytes - size)
  const ready = (): number => microseconds(calls, (index) => file.readReady(into, position(index)))
  const sync = (): number => microseconds(calls, (index) => readSync(descriptor, into, 0, size, position(index)))
  const later = async (): Promise<number> => {
    const begin = performance.now()
    for (let index = 0; index < calls / 10; index++) await file.readLater(into, position(index))
    return ((performance.now() - begin) * 1000) / (calls / 10)
  }
  const peer = { name: "readSync", round: sync }
  const what = `${size >> 10} KiB from the page cache`
  const answers = [
    await answer({ what: `${what}, if ready`, unit: "µs", ours: { name: "readReady", round: ready }, peer }),
    await answer({ what: `${what}, later`, unit: "µs", ours: { name: "readLater", round: later }, peer }),
  ]
  closeSync(descriptor)
  return answers
}

if (libcAbsence() !== "") process.stderr.write(`readReady cannot ask the kernel here: ${libcAbsence()}\n`)
await inTemporaryDirectory(async (directory) => {
  const path = join(directory, "f")
  writeFileSync(path, Buffer.alloc(fileBytes, "dafs"))
  const answers: Answer[] = []
  for (const size of sizes) answers.push(...(await compare(path, size)))
  report(answers)
})
