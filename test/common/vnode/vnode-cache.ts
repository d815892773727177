import test from "ava"
import { newDirectory } from "../../../common/directory/directory.ts"
import { unique, vnodeNumber } from "../../../common/ids.ts"
import { Vnode } from "../../../common/vnode/vnode.ts"
import { DirectoryCache, VnodeCache } from "../../../common/vnode/vnode-cache.ts"
import { newVnodeRecord } from "../../../common/vnode/vnode-record.ts"

const least = 256

function vnodesOf(count: number): { readonly vnodes: Vnode[]; readonly forgotten: Vnode[] } {
  const forgotten: Vnode[] = []
  const home = { forgotten: (vnode: Vnode) => void forgotten.push(vnode) }
  const vnodes = Array.from(
    { length: count },
    (_, index) => new Vnode(1, index, home, newVnodeRecord("small", {}), undefined),
  )
  return { vnodes, forgotten }
}

test("vnode cache: beyond the limit the one unused for longest is forgotten, and its home told", (t) => {
  const cache = new VnodeCache(0)
  const { vnodes, forgotten } = vnodesOf(least + 2)
  for (const vnode of vnodes.slice(0, least)) cache.add(vnode)
  t.deepEqual(forgotten, [])
  const [first, second, third] = vnodes
  if (first !== undefined) cache.touch(first)
  for (const vnode of vnodes.slice(least)) cache.add(vnode)
  t.deepEqual(forgotten, [second, third])
  t.is(cache.size, least)
})

test("vnode cache: a locked vnode is not forgotten, even if there are too many", (t) => {
  const cache = new VnodeCache(0)
  const { vnodes, forgotten } = vnodesOf(least + 2)
  for (const vnode of vnodes.slice(0, least)) cache.add(vnode)
  const holds = vnodes.slice(0, least).map((vnode) => vnode.lock.tryRead())
  const [, , next] = vnodes
  holds[2]?.[Symbol.dispose]()
  for (const vnode of vnodes.slice(least)) cache.add(vnode)
  t.deepEqual(forgotten, [next, vnodes[least]])
})

test("directory cache: pages beyond the limit are dropped; those of the directory in use stay, however large", (t) => {
  const cache = new DirectoryCache(5000)
  const { vnodes } = vnodesOf(3)
  const self = { vnode: vnodeNumber(1), unique: unique(1) }
  for (const vnode of vnodes) cache.add(vnode, newDirectory(self, self))
  t.is(cache.size, 2 * 2048)
  const [first, , last] = vnodes
  if (first === undefined || last === undefined) throw new Error("no vnodes")
  t.is(cache.get(first), undefined)
  const directory = cache.get(last) ?? newDirectory(self, self)
  for (let index = 0; index < 100; index++) directory.add(new Uint8Array(Buffer.from(`a longer name ${index}`)), self)
  cache.changed(last)
  t.is(cache.size, directory.length)
  t.true(cache.size > 5000)
  cache.drop(last)
  t.is(cache.size, 0)
})
