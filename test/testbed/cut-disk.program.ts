/** Creates a file and writes three digits to it on a disk that kills the process at a given change: FILE CHANGE. */
import { cutDisk } from "../support/cut-disk.ts"

const [path = "", change = "0"] = process.argv.slice(2)
const file = cutDisk({ at: Number(change), how: "kill" }).open(path, "create")
for (const [index, digit] of ["1", "2", "3"].entries()) file.write(Buffer.from(digit), index)
