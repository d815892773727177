/** Random values of declared types: bytes are decoded, and mended where they break a bound, until they are a value. */
import type { XdrFault, XdrOutcome } from "../../common/codec/xdr-bytes.ts"
import type { Xdr } from "../../common/codec/xdr-type.ts"
import type { Random } from "./random.ts"

/** Words that are small more often than not, so that counts and lengths are. */
function words(random: Random, length: number, most: number): Buffer {
  const bytes = Buffer.alloc((length + 3) & ~3)
  for (let at = 0; at < bytes.length; at += 4)
    bytes.writeUInt32BE(random.below(3) === 0 ? random.below(2 ** 32) : random.below(most + 1), at)
  return bytes
}

/** Mends what the decoder refused: a string's bytes, or a count. */
function mend(bytes: Buffer, fault: XdrFault, random: Random, most: number): void {
  if (fault.found !== "a NUL") bytes.writeUInt32BE(random.below(most + 1), fault.offset)
  else
    for (let at = fault.offset; at < fault.offset + bytes.readUInt32BE(fault.offset - 4); at++)
      bytes[at] = 1 + random.below(255)
}

function decodable<T>(type: Xdr<T>, random: Random, most: number): T {
  const outcome: XdrOutcome = { at: 0, wanted: 0, fault: undefined }
  let bytes = words(random, type.sizeMin, most)
  for (;;) {
    const value = type.decode(bytes, 0, bytes.length, outcome)
    if (outcome.fault !== undefined) mend(bytes, outcome.fault, random, most)
    else if (outcome.wanted === 0) return value as T
    else if (outcome.wanted < 1 << 20)
      bytes = Buffer.concat([bytes, words(random, outcome.wanted - bytes.length, most)])
    // A count without a bound came out too large to be filled.
    else bytes = words(random, type.sizeMin, most)
  }
}

/** A value that can be written. `most` bounds what is counted, mostly. */
export function sampleOf<T>(type: Xdr<T>, random: Random, most = 5): T {
  for (;;) {
    const value = decodable(type, random, most)
    try {
      type.encode(value)
      return value
    } catch (error) {
      // Text that fills its vector has no room for its NUL.
      if (!(error instanceof RangeError)) throw error
    }
  }
}
