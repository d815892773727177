/** What a name in a directory leads to, for those who have to know whether somebody is at it. */
import { isAfsError } from "../common/error.ts"
import type { Vnode } from "../common/vnode/vnode.ts"
import type { Request } from "./request.ts"

/** One vnode or none: names that lead to nothing are judged by who works on them. */
export function namedVnodes(request: Request, directory: Vnode, name: Uint8Array): Vnode[] {
  const found = request.volume.lookup(directory, name)
  if (found === undefined) return []
  try {
    const vnode = request.volume.vnode(found.vnode, found.unique)
    request.volume.accessed(request.now)
    return [vnode]
  } catch (error) {
    if (isAfsError(error, "VNOVNODE")) return []
    throw error
  }
}
