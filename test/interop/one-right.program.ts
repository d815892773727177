/** Inside a cell, or beside a fileserver of ours: tries what each right alone allows, and prints what came of it. */
import { Fileserver, findServer } from "../../client/fileserver.ts"
import { tryEveryRight } from "../support/one-right.ts"

const [, , address = "", volume = ""] = process.argv
await using server = await Fileserver.open(await findServer(address))
process.stdout.write(JSON.stringify(await tryEveryRight(server, Number(volume))))
