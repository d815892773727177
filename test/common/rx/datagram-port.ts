import test from "ava"
import { hostText, parseHost } from "../../../common/rx/datagram-port.ts"

test("datagram port: addresses are numbers and back", (t) => {
  for (const address of ["0.0.0.0", "10.99.0.1", "127.0.0.1", "255.255.255.255"])
    t.is(hostText(parseHost(address) ?? -1), address)
  t.is(parseHost("255.0.0.1"), 0xff00_0001)
  for (const wrong of ["", "1.2.3", "1.2.3.4.5", "1.2.3.256", "a.b.c.d", "::1", "1.2.3.-4"])
    t.is(parseHost(wrong), undefined)
})
