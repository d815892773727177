/** Locks a volume of a partition for writing and keeps it: `DIRECTORY VOLUME`. */
import { lockVolume } from "../../common/lock/volume-lock.ts"
import { openPartition } from "../../common/partition/partition.ts"

const [directory = "", volume = ""] = process.argv.slice(2)
lockVolume(openPartition(directory), Number(volume), "write")
process.stdout.write("locked\n")
setInterval(() => undefined, 1000)
