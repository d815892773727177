import { writeFileSync } from "node:fs"
import { join } from "node:path"
import test, { type ExecutionContext } from "ava"
import { serverAddresses } from "../../../common/cell/server-addresses.ts"
import { nodeDisk } from "../../../common/disk/node-disk.ts"
import { hostText, parseHost } from "../../../common/rx/datagram-port.ts"
import { temporaryDirectory } from "../../support/temporary-directory.ts"

const interfaces = ["127.0.0.1", "10.99.0.1", "10.77.0.5", "10.99.0.11"]
const all = interfaces.slice(1)

function addressesWith(t: ExecutionContext, netInfo?: string, netRestrict?: string, of = interfaces) {
  const directory = temporaryDirectory(t)
  if (netInfo !== undefined) writeFileSync(join(directory, "NetInfo"), netInfo)
  if (netRestrict !== undefined) writeFileSync(join(directory, "NetRestrict"), netRestrict)
  const numbers = of.map((address) => parseHost(address) ?? 0)
  const { addresses, complaints } = serverAddresses(numbers, directory, nodeDisk)
  return { addresses: addresses.map(hostText), complaints }
}

/** NetInfo, NetRestrict, what OpenAFS's fileserver registers with them, and whether it complains. */
const table: readonly (readonly [string | undefined, string | undefined, readonly string[], boolean])[] = [
  [undefined, undefined, all, false],
  ["", undefined, all, false],
  ["10.99.0.1\n", undefined, ["10.99.0.1"], false],
  ["10.99.0.1", undefined, all, true],
  ["10.99.0.1 # name\n", undefined, all, true],
  ["10.99.0.1  # name\n", undefined, ["10.99.0.1"], false],
  ["10.99.0.1/32 # name\n", undefined, ["10.99.0.1"], false],
  ["10.99.0.1\r\n", undefined, ["10.99.0.1"], false],
  ["10.99.0.0/24\n", undefined, ["10.99.0.1"], false],
  ["10.99.0.0/24\n10.99.0.11\n10.77.0.5\n", undefined, ["10.99.0.1", "10.99.0.11", "10.77.0.5"], false],
  ["10.99.0.1\nf 192.0.2.7\n", undefined, ["10.99.0.1", "192.0.2.7"], false],
  ["F 192.0.2.7\n", undefined, ["192.0.2.7"], false],
  ["f 192.0.2.0/24\n10.99.0.1\n", undefined, ["10.99.0.1"], true],
  ["hello\n\n10.99.0.1\n10.99.0.1\n", undefined, ["10.99.0.1"], true],
  ["10.99.0.1\n192.0.2.9\n", undefined, ["10.99.0.1"], true],
  ["10.99.0.1/33\n", undefined, all, true],
  [undefined, "10.77.0.0/16\n", ["10.99.0.1", "10.99.0.11"], false],
  [undefined, "10.0.0.0/8\n", all, true],
  ["10.99.0.1\n", "10.0.0.0/8\n", [], false],
  ["10.99.0.0/24\n", "10.99.0.11\n", ["10.99.0.1"], false],
  ["f 192.0.2.7\n10.99.0.1\n", "192.0.2.7\n", ["10.99.0.1"], false],
  ["10.99.0.1\n", "10.99.0.1\n", [], false],
  [undefined, "0.0.0.0/0\n", all, true],
]

test("server addresses: each pair of files leaves what it leaves to OpenAFS's fileserver", (t) => {
  for (const [netInfo, netRestrict, expected, complains] of table) {
    const what = JSON.stringify([netInfo, netRestrict])
    const { addresses, complaints } = addressesWith(t, netInfo, netRestrict)
    t.deepEqual(addresses, expected, what)
    t.is(complaints.length > 0, complains, `${what}: ${complaints.join("; ")}`)
  }
})

test("server addresses: a complaint names file and line", (t) => {
  const [first] = addressesWith(t, "10.99.0.1\nhello\n").complaints
  t.regex(first ?? "", /NetInfo, line 2: "hello"/)
})

test("server addresses: fifteen at most", (t) => {
  const many = Array.from({ length: 20 }, (_, index) => `10.1.0.${index + 1}`)
  const { addresses, complaints } = addressesWith(t, undefined, undefined, many)
  t.deepEqual(addresses, many.slice(0, 15))
  t.is(complaints.length, 1)
})
