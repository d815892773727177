/** The transport's rules, packet by packet: dafileserver and our fileserver answer hand-made packets in the same way. */
import { join } from "node:path"
import { type Cell, cellAddress, startCell, wholeCell } from "../support/cell.ts"
import { builtProgram } from "../support/project.ts"
import { needsCell } from "../support/requirements.ts"

const dafs = builtProgram("cli/dafs.ts")
const program = builtProgram("test/interop/rx-scenarios.program.ts")
const status = "DATA 1 LAST 120"
const ping = "ACK PING 1/1/0 [+]"

/** What both are to answer. */
const expected = {
  "VERSION without the client's flag, DEBUG of an unknown type": ["DEBUG"],
  "unknown service, unknown security index": ["ABORT -2", "ABORT -2"],
  "ABORT and ACK for connections that nobody knows": [],
  "an unknown opcode, twenty times": ["ABORT -455"],
  "requests that are too short": ["ABORT -454", "ABORT -453"],
  "bytes behind the arguments": status,
  "the same failure on one channel again and again": { first: ["ABORT 103"], isLate: true },
  "a request that comes again, and a ping for its call": ["ACK DUPLICATE 2/1/s []", "ACK PING_RESPONSE 2/1/s []"],
  "packets 2 and 1 of a store": ["ACK OUT_OF_SEQUENCE 1/2/s [-+]", "DATA 1 LAST 108", "hello"],
  "sequence numbers beyond the window": [[], ["ACK", "EXCEEDS_WINDOW"]],
  "a new call while the one before waits for its data": ["BUSY", status],
  "the same connection from a second port": [status, status],
  "jumbograms of two and of four packets": ["DATA 1 LAST 108", true],
  "a store that waits on one channel, and a small call on another": [status, "DATA 1 LAST 108", "abc"],
  "a port that nobody has heard of": [[ping], [ping, ping, ping, ping], status],
}

async function startOurs(cell: Cell, backEnd: string): Promise<void> {
  const log = join(cell.directory, "log", `ours-${backEnd}.log`)
  const options = ["--openafs", "--port", "7000", "--logfile", log, "--socket-back-end", backEnd]
  await cell.run("fs", process.execPath, dafs, "fileserver", ...options)
  await cell.exec("timeout", "30", "sh", "-c", `until grep -qs "fileserver ready" ${log}; do sleep 0.05; done`)
}

needsCell(
  "rx scenarios: our fileserver answers hand-made packets as dafileserver does, on each back end",
  async (t) => {
    const cell = await startCell(t, ...wholeCell)
    const volume = await cell.createVolume("packets")
    const tell = async (): Promise<unknown> =>
      JSON.parse(await cell.exec(process.execPath, program, cellAddress, "7000", String(volume)))
    t.deepEqual(await tell(), expected, "dafileserver")
    for (const backEnd of ["auto", "node"]) {
      await cell.stop("fs")
      await startOurs(cell, backEnd)
      t.deepEqual(await tell(), expected, `our fileserver, ${backEnd}`)
    }
  },
)
