import test from "ava"
import { RxError } from "../../../common/rx/codes.ts"
import { exchange } from "../../../common/rx/exchange.ts"
import { answering, pair, serverAddress, serviceId } from "../../support/rx-network.ts"

function joined() {
  const service = answering((request) => (request.length === 3 ? -455 : Buffer.alloc(request.length * 10, 7)))
  const { network, client } = pair([service])
  return { network, connection: client.connect(serverAddress.host, serverAddress.port, serviceId) }
}

test("exchange: requests and replies of any size come whole", async (t) => {
  const { network, connection } = joined()
  for (const size of [0, 1, 5000, 100_000]) {
    const reply = exchange(connection, Buffer.alloc(size))
    network.run(2000)
    t.is((await reply).length, size * 10)
  }
})

test("exchange: an ABORT is an error with its code", async (t) => {
  const { network, connection } = joined()
  const reply = exchange(connection, Buffer.alloc(3))
  network.run(100)
  const error = await t.throwsAsync(reply, { instanceOf: RxError })
  t.is(error?.code, -455)
})

test("exchange: a reply above the limit ends the call", async (t) => {
  const { network, connection } = joined()
  const reply = exchange(connection, Buffer.alloc(5000), 20_000)
  network.run(1000)
  const error = await t.throwsAsync(reply, { instanceOf: RxError })
  t.is(error?.code, -451)
})
