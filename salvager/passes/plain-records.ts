/**
 * Records that are right at first sight: they name a data file of their own number, and both say the same. Nearly all are, and
 * passes that look for what is wrong need not meet them again.
 *
 * One loop over columns, in which nothing is called: it runs once in the life of a process, and V8 would still be compiling many
 * small functions when the last record has gone by.
 */
import { vnodeMask } from "../../common/partition/inode-number.ts"
import { vnodeClasses, vnodeRecordLayout, vnodeTypes } from "../../common/vnode/vnode-record.ts"
import type { DataFiles } from "../data-files.ts"
import { plainFlag, type VnodeTable } from "../vnode-table.ts"

const wordsPerRecord = vnodeRecordLayout.size / 4
const wordAt = (field: keyof typeof vnodeRecordLayout.offsets): number => vnodeRecordLayout.offsets[field] / 4
const [lengthLowAt, lengthHighAt, uniquifierAt] = [wordAt("lengthLow"), wordAt("lengthHigh"), wordAt("uniquifier")]
const [inodeLowAt, inodeHighAt] = [wordAt("inodeLow"), wordAt("inodeHigh")]
const [versionAt, magicAt, lockCountAt] = [wordAt("dataVersion"), wordAt("magic"), wordAt("lockCount")]
/** Bits of a record's first word. */
const typeMask = 7
const executeMask = 0o111 << 4
const { small, large } = vnodeClasses

/**
 * Gives each plain record its data file, and settles it; all others stay as they are. No record may have a data file yet. The
 * rules are those of passes/records.ts, which finds nothing in a plain record.
 */
export function matchPlainRecords({ columns: files, found }: DataFiles, { columns: slots, count }: VnodeTable): void {
  const { words, vnode: vnodes, file: filesOfSlots, flags, doubt } = slots
  const { vnode: fileVnodes, unique: uniques, tag: tags, size: sizes, version: versions, users } = files
  let next = 0
  for (let slot = 0; slot < count; slot++) {
    const vnode = vnodes[slot] ?? 0
    // vnodes of a class ascend, as files do
    if (next > 0 && (fileVnodes[next - 1] ?? 0) >= vnode) next = 0
    while (next < found && (fileVnodes[next] ?? 0) < vnode) next++
    const at = slot * wordsPerRecord
    const [low, unique] = [words[at + inodeLowAt] ?? 0, words[at + inodeHighAt] ?? 0]
    if ((low & vnodeMask) !== vnode) continue
    let file = next
    while (file < found && fileVnodes[file] === vnode && (uniques[file] !== unique || tags[file] !== low >>> 26)) file++
    if (file === found || fileVnodes[file] !== vnode) continue
    const type = (words[at] ?? 0) & typeMask
    const isPlain =
      words[at + uniquifierAt] === unique &&
      (words[at + lengthHighAt] ?? 0) * 2 ** 32 + (words[at + lengthLowAt] ?? 0) === sizes[file] &&
      ((words[at + lockCountAt] ?? 0) | 0) >= -1 &&
      ((vnode & 1) === 1
        ? words[at + magicAt] === large.recordMagic && type === vnodeTypes.directory
        : words[at + magicAt] === small.recordMagic &&
          (words[at + versionAt] ?? 0) >= (versions[file] ?? 0) &&
          (type === vnodeTypes.file || (type === vnodeTypes.symlink && ((words[at] ?? 0) & executeMask) !== 0)))
    if (!isPlain) continue
    users[file] = (users[file] ?? 0) + 1
    filesOfSlots[slot] = file
    flags[slot] = plainFlag
    doubt[slot] = 0
  }
}
