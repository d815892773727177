/** Writes more than its limit on file sizes allows, both ways, and says as JSON what came of it. */
import { DiskError } from "../../../common/disk/disk.ts"
import { nodeDisk } from "../../../common/disk/node-disk.ts"

const [path = ""] = process.argv.slice(2)
const bytes = new Uint8Array(10_000).fill(1)

using file = nodeDisk.open(path, "create")

function ending(error: unknown): object {
  if (!(error instanceof DiskError)) throw error
  const { call, code, offset } = error
  return { call, code, offset, size: file.stat().size }
}

function writeNow(): object {
  try {
    file.write(bytes, 0)
    return { size: file.stat().size }
  } catch (error) {
    return ending(error)
  }
}

const now = writeNow()
file.truncate(0)
const later = await file.writeLater(bytes, 0).then(() => ({ size: file.stat().size }), ending)
process.stdout.write(`${JSON.stringify({ now, later })}\n`)
