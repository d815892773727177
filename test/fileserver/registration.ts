import test from "ava"
import { NoDatabase } from "../../common/cell/database-calls.ts"
import { VL } from "../../common/protocol/vldbint.ts"
import { rpcClient } from "../../common/rpc/client.ts"
import { RpcError } from "../../common/rpc/rpc-call.ts"
import { rpcService } from "../../common/rpc/service.ts"
import { Registration, type RegistrationOptions } from "../../fileserver/registration.ts"
import { connectionTo } from "../support/memory-call.ts"
import { virtualClock } from "../support/virtual-clock.ts"

const uuid = "0003cac8-be35-1b01-9e-4b-0100630aaa77"

/** A location server in memory: answers with these codes by turns, then with success. */
function rig(codes: readonly (number | "silence")[], addresses: RegistrationOptions["addresses"]) {
  const asked: unknown[] = []
  const logged: string[] = []
  const service = rpcService(
    VL,
    {
      RegisterAddrs(ask) {
        const code = codes[asked.length - 1]
        if (typeof code === "number") throw new RpcError(code, "VL_RegisterAddrs")
        asked[asked.length - 1] = ask
      },
    },
    { log: { error: (facts) => logged.push(JSON.stringify(facts)) } },
  )
  const stubs = rpcClient(VL, connectionTo(service))
  const calls: RegistrationOptions["calls"] = {
    async call(make) {
      asked.push(undefined)
      if (codes[asked.length - 1] === "silence") throw new NoDatabase("silence")
      return await make(stubs)
    },
  }
  const clock = virtualClock()
  const note = (_facts: object, message: string): void => void logged.push(message)
  const log = { info: note, warn: note, error: note }
  const registration = new Registration({ calls, uuid, addresses, clock, log })
  return { registration, clock, asked, logged }
}

const twoAddresses = () => ({ addresses: [0x0a63_0001, 0x0a4d_0005], complaints: [] })

test("registration: UUID and addresses are told once", async (t) => {
  const { registration, clock, asked, logged } = rig([], twoAddresses)
  await registration.attempt
  t.deepEqual(asked, [{ uuidp: uuid, spare1: 0, ipaddr: [0x0a63_0001, 0x0a4d_0005] }])
  t.deepEqual(logged, ["registered with the location servers"])
  t.is(clock.pending, 0)
})

test("registration: what fails is tried again every five minutes, with the addresses of that time, and says why", async (t) => {
  let turn = 0
  const addresses = () => ({ addresses: [++turn], complaints: [] })
  const { registration, clock, asked, logged } = rig(["silence", 363_550, 363_546, 363_521], addresses)
  for (let attempt = 1; attempt <= 4; attempt++) {
    await registration.attempt
    t.is(asked.length, attempt)
    clock.advance(299_999)
    t.is(asked.length, attempt)
    clock.advance(1)
  }
  await registration.attempt
  t.deepEqual(asked.at(-1), { uuidp: uuid, spare1: 0, ipaddr: [5] })
  const reasons = [/no location server answers/, /another UUID/, /authentication/, /^not registered$/, /^registered/]
  t.is(logged.length, reasons.length)
  for (const [index, reason] of reasons.entries()) t.regex(logged[index] ?? "", reason)
  t.is(clock.pending, 0)
})

test("registration: a server without addresses, or with files that cannot be read, says so and tries again", async (t) => {
  const outcomes = [
    () => ({ addresses: [], complaints: ["a line is wrong"] }),
    () => {
      throw new Error("unreadable")
    },
    twoAddresses,
  ]
  let turn = 0
  const { registration, clock, logged } = rig([], () => outcomes[turn++]?.() ?? twoAddresses())
  await registration.attempt
  clock.advance(300_000)
  await registration.attempt
  clock.advance(300_000)
  await registration.attempt
  t.regex(logged[0] ?? "", /rule does not count/)
  t.regex(logged[1] ?? "", /no address is left/)
  t.is(logged[2], "not registered")
  t.regex(logged[3] ?? "", /^registered/)
})

test("registration: nothing is tried any more after the end", async (t) => {
  const { registration, clock, asked } = rig(["silence"], twoAddresses)
  await registration.attempt
  registration[Symbol.dispose]()
  t.is(clock.pending, 0)
  clock.advance(600_000)
  t.is(asked.length, 1)
  const other = rig(["silence"], twoAddresses)
  other.registration[Symbol.dispose]()
  await other.registration.attempt
  t.is(other.clock.pending, 0)
})
