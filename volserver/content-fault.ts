/**
 * What is wrong with the contents that a dump gives a directory or link. A restore takes them all the same, for a salvage saves
 * more of them than nothing would, but nobody should have to find out by himself.
 */
import { findDirectoryFault } from "../common/directory/directory-check.ts"
import type { DumpVnode } from "../common/dump/dump-tags.ts"
import { vnodeTypes } from "../common/vnode/vnode-record.ts"

/** The longest that a client follows. OpenAFS afs/afs.h (AFS_MAX_LINK of 1024 bytes, its NUL included). */
const linkBytesMax = 1023

/** In words, or undefined. `bytes` are all of the contents. */
export function findContentFault(vnode: DumpVnode, bytes: Uint8Array): string | undefined {
  if (vnode.type === vnodeTypes.directory) return directoryFault(vnode, bytes)
  if (vnode.type !== vnodeTypes.symlink) return undefined
  if (bytes.length === 0) return "a symbolic link that says nothing"
  if (bytes.length > linkBytesMax) return `a symbolic link of ${bytes.length} bytes, where ${linkBytesMax} are possible`
  const nul = bytes.indexOf(0)
  return nul < 0 ? undefined : `a symbolic link with a NUL as byte ${nul}`
}

function directoryFault({ accessList }: DumpVnode, bytes: Uint8Array): string | undefined {
  const fault = findDirectoryFault(bytes)
  if (fault !== undefined) return `a damaged directory: offset ${fault.offset}, ${fault.text}`
  return accessList === undefined ? "a directory without access list: only administrators can use it" : undefined
}
