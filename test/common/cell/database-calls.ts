import test from "ava"
import { DatabaseCalls, databasePorts, NoDatabase } from "../../../common/cell/database-calls.ts"
import { PR } from "../../../common/protocol/ptint.ts"
import type { CallSource } from "../../../common/rpc/client.ts"
import { isRpcError, RpcError } from "../../../common/rpc/rpc-call.ts"

const noCalls: CallSource = {
  newCall() {
    throw new Error("not called")
  },
}

/** Calls to servers of these addresses, and whom they connect to. */
function callsTo(servers: readonly number[]) {
  const connected: string[] = []
  const calls = new DatabaseCalls(PR, databasePorts.protection, servers, (address, port, service) => {
    connected.push(`${address}:${port}/${service}`)
    return { ...noCalls }
  })
  return { calls, connected }
}

/** Answers, or fails with these codes by turns. */
function answering(...outcomes: readonly (number | "ok")[]) {
  let turn = 0
  return () => {
    const outcome = outcomes[turn++] ?? "ok"
    if (outcome === "ok") return Promise.resolve(turn)
    return Promise.reject(new RpcError(outcome, "PR_GetCPS"))
  }
}

test("database calls: the first server that answers is asked, and the next time it is asked first", async (t) => {
  const { calls, connected } = callsTo([1, 2, 3])
  t.is(await calls.call(answering(-1, 5376, "ok")), 3)
  t.deepEqual(connected, ["1:7002/73", "2:7002/73", "3:7002/73"])
  t.is(await calls.call(answering("ok")), 1)
  t.is(connected.length, 3)
  t.is(await calls.call(answering(-1, "ok")), 2)
  t.deepEqual(connected.slice(3), ["1:7002/73"])
})

test("database calls: a server that refuses has answered", async (t) => {
  const { calls, connected } = callsTo([1, 2])
  const error = await t.throwsAsync(calls.call(answering(267_268)))
  t.true(isRpcError(error, 267_268))
  t.is(connected.length, 1)
})

test("database calls: arguments that break the protocol are no reason to ask another", async (t) => {
  const { calls, connected } = callsTo([1, 2])
  for (const code of [-450, -451, -453, -455])
    t.true(isRpcError(await t.throwsAsync(calls.call(answering(code))), code), String(code))
  t.is(connected.length, 1)
})

test("database calls: when nobody answers the error says what became of each", async (t) => {
  const { calls } = callsTo([1, 2])
  const error = await t.throwsAsync(calls.call(answering(-1, 5377)), { instanceOf: NoDatabase })
  t.regex(error?.message ?? "", /code -1.*code 5377/)
  await t.throwsAsync(callsTo([]).calls.call(answering()), { instanceOf: NoDatabase, message: /there is none/ })
})

test("database calls: a connection that has failed is made anew", async (t) => {
  let made = 0
  const broken = { ...noCalls, error: 0 }
  const calls = new DatabaseCalls(PR, 7002, [1], () => {
    made++
    return broken
  })
  await calls.call(answering())
  await calls.call(answering())
  t.is(made, 1)
  broken.error = -5
  await calls.call(answering())
  t.is(made, 2)
})
