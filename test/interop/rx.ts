/** Our endpoint against OpenAFS: its rxdebug asks us, our client calls its vlserver and ptserver. */
import { parseHost } from "../../common/rx/datagram-port.ts"
import { exchange } from "../../common/rx/exchange.ts"
import { openRxSocket, type RxSocket } from "../../common/rx/socket.ts"
import { cellAddress, sharedCell } from "../support/cell.ts"
import { needsCell, needsOpenafs } from "../support/requirements.ts"
import { answering } from "../support/rx-network.ts"
import { runProgram } from "../support/spawned.ts"

const loopback = "127.0.0.1"
const host = parseHost(loopback) ?? 0

async function rxdebug(port: number, ...options: string[]): Promise<string> {
  const { stdout, stderr, status } = await runProgram("rxdebug", [loopback, String(port), ...options])
  if (status !== 0) throw new Error(`rxdebug: ${stdout}${stderr}`)
  return stdout + stderr
}

async function served(): Promise<{ server: RxSocket; client: RxSocket }> {
  const server = await openRxSocket({
    address: loopback,
    services: [answering((request) => request)],
    version: "dafs 0.1.0 test",
  })
  const client = await openRxSocket({ address: loopback })
  await exchange(client.endpoint.connect(host, server.port, 1), Buffer.from("hello"))
  return { server, client }
}

needsOpenafs("rx: rxdebug prints our version", async (t) => {
  const { server, client } = await served()
  t.regex(await rxdebug(server.port, "-version"), /AFS version: *dafs 0\.1\.0 test/)
  await client.close()
  await server.close()
})

needsOpenafs("rx: rxdebug lists connections of both kinds, and peers, to the end", async (t) => {
  const { server, client } = await served()
  const connections = await rxdebug(server.port, "-allconnections")
  t.regex(connections, new RegExp(`Connection from host ${loopback}, port ${client.port}`))
  t.regex(connections, /server conn/)
  t.regex(connections, /call 0: # 1, state/)
  t.regex(connections, /Done\./)
  const ours = await rxdebug(client.port, "-allconnections")
  t.regex(ours, /client conn/)
  const peers = await rxdebug(server.port, "-peers")
  t.regex(peers, new RegExp(`Peer at host ${loopback}, port ${client.port}`))
  t.regex(peers, /Done\./)
  await client.close()
  await server.close()
})

needsOpenafs("rx: rxdebug prints statistics without doubts about our version", async (t) => {
  const { server, client } = await served()
  const basics = await rxdebug(server.port, "-noconns")
  t.regex(basics, /Free packets: \d+/)
  t.regex(basics, /0 calls waiting for a thread/)
  t.notRegex(basics, /unknown|unsupported|old/i)
  const statistics = await rxdebug(server.port, "-rxstats", "-noconns")
  t.regex(statistics, /packets sent/)
  t.regex(statistics, /1 server connections, 0 client connections/)
  await client.close()
  await server.close()
})

const theCell = needsCell.met ? sharedCell("vl", "pt") : undefined

needsCell("rx: our client calls OpenAFS's vlserver and ptserver, and learns what they do not know", async (t) => {
  const cell = theCell?.()
  if (cell === undefined) throw new Error("there is no cell")
  const program = new URL("./rx-client.program.js", import.meta.url).pathname
  const answers: unknown = JSON.parse(await cell.exec(process.execPath, program, cellAddress))
  t.deepEqual(answers, {
    probe: "",
    probeMany: 200,
    unknownOpcode: -455,
    shortRequest: -454,
    unknownService: -2,
    nameToId: "0000000100007ffe",
    unknownPtOpcode: -455,
  })
})

needsCell("rx: OpenAFS's vos reads long replies from our server, byte for byte", async (t) => {
  const cell = theCell?.()
  if (cell === undefined) throw new Error("there is no cell")
  const count = 2000
  const program = new URL("./rx-server.program.js", import.meta.url).pathname
  await cell.run("rx-server", process.execPath, program, String(count))
  t.teardown(() => cell.stop("rx-server"))
  for (let isUp = false; !isUp; )
    isUp = /dafs in a cell/.test((await cell.try("rxdebug", [cellAddress, "7005", "-version"])).stdout)
  const listing = await cell.vos("status", cellAddress, "-noauth")
  const volumes = [...listing.matchAll(/^volume: (\d+)/gm)].map((match) => Number(match[1]))
  t.deepEqual(
    volumes,
    Array.from({ length: count }, (_, index) => 536_870_912 + index),
  )
  const refused = await cell.try("vos", ["partinfo", cellAddress, "-noauth"])
  t.not(refused.status, 0)
  const statistics = await cell.exec("rxdebug", cellAddress, "7005", "-rxstats", "-noconns")
  t.regex(statistics, /resends 0,/)
})
