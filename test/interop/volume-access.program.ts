/** Accesses volumes of the fileserver `HOST VOLUME...` as a client does; prints the code that each answers with, as JSON. */
import { Fileserver, findServer } from "../../client/fileserver.ts"
import { codeOf } from "../support/rxafs-client.ts"

const [host = "", ...volumes] = process.argv.slice(2)
await using server = await Fileserver.open(await findServer(host))
const codes: Record<string, number> = {}
for (const volume of volumes) codes[volume] = await codeOf(server.rxafs.GetVolumeStatus({ Volumeid: Number(volume) }))
process.stdout.write(JSON.stringify(codes))
