import { join } from "node:path"
import test from "ava"
import { isAfsError } from "../../common/error.ts"
import type { SalvageJob } from "../../common/volume/salvage-schedule.ts"
import { SalvsyncLink } from "../../fileserver/salvsync-link.ts"
import { salvsyncProtocol } from "../../fssync/command-table.ts"
import { responses, type SyncRequest, salvsyncCommands, salvsyncReasons } from "../../fssync/message.ts"
import { listenSync } from "../../fssync/server.ts"
import { keptLog } from "../support/served-volumes.ts"
import { temporaryDirectory } from "../support/temporary-directory.ts"

const job: SalvageJob = { command: "SALVAGE", volume: 5, partition: "/vicepa", reason: "NEEDED", priority: 3 }

test("salvage link: without a salvage server a request fails at once, and the next one tries again", async (t) => {
  const directory = temporaryDirectory(t)
  await using link = new SalvsyncLink(directory)
  for (let tries = 0; tries < 2; tries++) t.true(isAfsError(await t.throwsAsync(link.request(job)), "UNREACHABLE"))
  const asked: SyncRequest[] = []
  let response: number = responses.OK
  await using _server = await listenSync({
    path: join(directory, "salvsync.sock"),
    protocol: salvsyncProtocol,
    handle: (request) => {
      asked.push(request)
      return { response, reason: 0, payload: { known: true, state: 1, prio: 0, sq_len: 1, pq_len: 0 } }
    },
    log: keptLog(),
  })
  t.true(await link.request(job))
  t.true(await link.request({ ...job, command: "RAISEPRIO", reason: "ERROR", priority: 9 }))
  response = responses.DENIED
  t.false(await link.request(job))
  t.deepEqual(
    asked.map(({ command, reason, volume, partition, vnode }) => [command, reason, volume, partition, vnode]),
    [
      [salvsyncCommands.SALVAGE, salvsyncReasons.NEEDED, 5, "/vicepa", 3],
      [salvsyncCommands.RAISEPRIO, salvsyncReasons.ERROR, 5, "/vicepa", 9],
      [salvsyncCommands.SALVAGE, salvsyncReasons.NEEDED, 5, "/vicepa", 3],
    ],
  )
})

test("salvage link: one that was never used has nothing to close", async (t) => {
  await using _link = new SalvsyncLink(temporaryDirectory(t))
  t.pass()
})
