/** One metadata write of each kind that needs nothing else, those first that are applied last. */
import { dataInode, specialInode } from "../../common/partition/inode-number.ts"
import type { MetadataWrite } from "../../common/volume/metadata-write.ts"

const low = dataInode(2, 2, 0)

export const unorderedWrites: readonly MetadataWrite[] = [
  { kind: "removeHeader", volume: 9 },
  { kind: "leaveGroup" },
  { kind: "unlink", inode: specialInode(9, "volumeInfo") },
  { kind: "release", inode: low },
  { kind: "count", vnode: 4, tag: 0, count: 1 },
  { kind: "header", volume: 8, bytes: new Uint8Array(76), replace: false },
  { kind: "truncate", inode: specialInode(8, "smallIndex"), size: 8 },
  { kind: "write", inode: specialInode(8, "smallIndex"), offset: 0, bytes: new Uint8Array(8) },
  { kind: "owner", inode: specialInode(8, "smallIndex"), parameter: 8, number: 2 },
  { kind: "link", from: specialInode(9, "smallIndex"), to: specialInode(8, "smallIndex") },
  { kind: "create", inode: low, parameter: 0 },
  { kind: "claim", vnode: 2, tag: 0, delta: 1 },
]
