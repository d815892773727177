/**
 * Bytes that afsio moves, without a file that holds them. `make BYTES`: prints so many. `digest BYTES`: prints a digest of the
 * same. `stored BYTES`: a digest of what a file holds after `afsio fidwrite` of so many: afsio 1.8.9 counts its position twice, so
 * that after each 64 MiB it leaves as much out, and it ends at 2 GiB, since it knows the old calls only.
 */
import { createCipheriv, createHash } from "node:crypto"
import { once } from "node:events"

const [, , what = "", bytesText = ""] = process.argv
const piece = 1 << 20
/** How much afsio stores before it goes astray. */
const stride = 64 << 20
const oldLimit = 2 ** 31

/** The same bytes each time, of which no two parts are alike. */
function* bytesOf(total: number): Generator<Buffer> {
  const cipher = createCipheriv("aes-128-ctr", Buffer.alloc(16, 1), Buffer.alloc(16))
  const zeros = Buffer.alloc(piece)
  for (let at = 0; at < total; at += piece) yield cipher.update(zeros).subarray(0, total - at)
}

/** What the file holds, holes too. */
function* storedOf(total: number): Generator<Buffer> {
  const hole = Buffer.alloc(piece)
  let [source, length] = [0, 0]
  for (const bytes of bytesOf(total)) {
    const position = source + Math.floor(source / stride) * stride
    if (position >= oldLimit) return
    for (; length < position; length += piece) yield hole
    yield bytes
    source += bytes.length
    length += bytes.length
  }
}

async function print(pieces: Iterable<Buffer>): Promise<void> {
  for (const bytes of pieces) if (!process.stdout.write(Buffer.from(bytes))) await once(process.stdout, "drain")
}

function digest(pieces: Iterable<Buffer>): string {
  const hash = createHash("sha256")
  for (const bytes of pieces) hash.update(bytes)
  return hash.digest("hex")
}

const total = Number(bytesText)
if (what === "make") await print(bytesOf(total))
else process.stdout.write(`${digest(what === "stored" ? storedOf(total) : bytesOf(total))}\n`)
