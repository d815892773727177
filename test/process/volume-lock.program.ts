/**
 * A program of this suite that locks volumes and keeps them until it is ended:
 * volume-lock.program.js PARTITION TYPE VOLUME... Prints "locked" when it has all.
 */
import { basename } from "node:path"
import { nodeDisk } from "../../common/disk/node-disk.ts"
import { lockVolume } from "../../common/lock/volume-lock.ts"

const [path = "", type = "", ...volumes] = process.argv.slice(2)
const partition = { path, name: `/${basename(path)}`, disk: nodeDisk }
for (const volume of volumes) lockVolume(partition, Number(volume), type === "write" ? "write" : "read", "the program")
process.stdout.write("locked\n")
setInterval(() => undefined, 1 << 30)
