/** Raises and lowers counts of a link table many times, as another process of the same partition would. */
import { nodeDisk } from "../../../common/disk/node-disk.ts"
import { LinkTable } from "../../../common/partition/link-table.ts"

const [path = "", rounds = "0"] = process.argv.slice(2)

using file = nodeDisk.open(path, "write")
const table = new LinkTable(file)
process.stdout.write("ready\n")
for (let round = 0; round < Number(rounds); round++) {
  table.change([{ vnode: 2, tag: 1, delta: 1 }])
  table.change([
    { vnode: 2, tag: 1, delta: -1 },
    { vnode: 4, tag: 0, delta: round % 2 === 0 ? 1 : -1 },
  ])
  table.allocate([6])
  table.release([{ vnode: 6, tag: 0 }], () => {})
}
