/**
 * Watches a volume as a client: `host port volume`. Prints a line whenever the code of FetchStatus of its root changes, and for
 * each break; ends when the volume is no more.
 */
import { randomBytes } from "node:crypto"
import { setTimeout as after } from "node:timers/promises"
import { uuidOfBytes } from "../../common/codec/uuid.ts"
import { parseHost } from "../../common/rx/datagram-port.ts"
import { codeOf, openRxafsClient } from "../support/rxafs-client.ts"

const [, , host = "", port = "7000", volume = "0"] = process.argv
await using client = await openRxafsClient({
  host: parseHost(host) ?? 0,
  port: Number(port),
  uuid: uuidOfBytes(randomBytes(16)),
})
const Fid = { Volume: Number(volume), Vnode: 1, Unique: 1 }
const gone = 103
let last: number | undefined
while (last !== gone) {
  const code = await codeOf(client.fs.FetchStatus({ Fid }))
  if (code !== last) process.stdout.write(`code ${code}\n`)
  last = code
  for (const { fids = [] } of client.takeBreaks())
    for (const fid of fids)
      process.stdout.write(`break ${fid.Volume === Fid.Volume ? "volume" : fid.Volume} ${fid.Vnode} ${fid.Unique}\n`)
  await after(20)
}
