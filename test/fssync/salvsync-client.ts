import { join } from "node:path"
import test from "ava"
import { salvsyncProtocol } from "../../fssync/command-table.ts"
import {
  responses,
  type SalvsyncCommand,
  type SyncRequest,
  salvsyncCommands,
  salvsyncReasons,
} from "../../fssync/message.ts"
import { impatientRule } from "../../fssync/retry-rule.ts"
import { SalvsyncClient, type SalvsyncReply } from "../../fssync/salvsync-client.ts"
import { listenSync } from "../../fssync/server.ts"
import { temporaryDirectory } from "../support/temporary-directory.ts"

const quiet = { info: () => undefined, warn: () => undefined, error: () => undefined }
const partition = "/vicepa"
const status = { known: true, state: 1, prio: 4, sq_len: 3, pq_len: 2 }
const { ERROR, NEEDED, WHATEVER } = salvsyncReasons

type Ask = (client: SalvsyncClient) => Promise<SalvsyncReply>

const methods: readonly (readonly [SalvsyncCommand, Ask, Partial<SyncRequest>])[] = [
  ["NOP", (c) => c.nop(), { volume: 0 }],
  ["SALVAGE", (c) => c.salvage(5, partition), { volume: 5, parent: 5, partition, vnode: 0, reason: WHATEVER }],
  ["SALVAGE", (c) => c.salvage(5, partition, { priority: 9, reason: ERROR }), { vnode: 9, reason: ERROR }],
  ["RAISEPRIO", (c) => c.raisePriority(5, partition, 7, NEEDED), { volume: 5, parent: 5, vnode: 7, reason: NEEDED }],
  ["CANCEL", (c) => c.cancel(5, partition), { volume: 5, parent: 5, partition }],
  ["CANCELALL", (c) => c.cancelAll(), {}],
  ["QUERY", (c) => c.query(5, partition), { volume: 5, parent: 5, partition }],
  ["LINK", (c) => c.link(6, 5, partition), { volume: 6, parent: 5, partition }],
]

for (const response of [responses.OK, responses.DENIED]) {
  for (const [command, ask, fields] of methods) {
    test(`salvsync client: ${command} ${JSON.stringify(fields)} answered ${response} tells the state all the same`, async (t) => {
      const path = join(temporaryDirectory(t), "salvsync.sock")
      let seen: SyncRequest | undefined
      const handle = (request: SyncRequest) => {
        seen = request
        return { response, reason: 0, payload: status }
      }
      const server = await listenSync({ path, protocol: salvsyncProtocol, handle, log: quiet })
      t.teardown(() => server.close())
      await using client = new SalvsyncClient({ path, programType: "fileServer", pid: 5, rule: impatientRule })
      t.deepEqual(await ask(client), { response, reason: 0, payload: status })
      t.like(seen, { command: salvsyncCommands[command], programType: 1, pid: 5, ...fields })
    })
  }
}

test("salvsync client: every command has its method", (t) => {
  const covered = new Set(methods.map(([command]) => command))
  t.deepEqual([...covered].toSorted(), Object.keys(salvsyncCommands).toSorted())
})
