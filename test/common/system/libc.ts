import { constants } from "node:os"
import test, { type ExecutionContext } from "ava"
import { type Libc, libcAbsence, openLibc } from "../../../common/system/libc.ts"

const withLibc = (title: string, check: (t: ExecutionContext, libc: Libc) => void | Promise<void>): void => {
  const libc = openLibc()
  if (libc === undefined) test.skip(`${title} (${libcAbsence()})`, () => undefined)
  else test(title, (t) => check(t, libc))
}

test("libc: it is there, or the reason why not is", (t) => {
  t.is(openLibc() === undefined, libcAbsence() !== "")
  t.is(openLibc(), openLibc())
})

withLibc("libc: functions take and give numbers, and failures leave their number", (t, libc) => {
  t.is(libc.find("getpid", "int", [])(), process.pid)
  t.is(libc.find("close", "int", ["int"])(-1), -1)
  t.is(libc.errno(), constants.errno.EBADF)
  t.throws(() => libc.find("dafs_has_no_such_function", "int", []))
})

withLibc("libc: an address is that of the bytes, and bytes written there are seen", (t, libc) => {
  const bytes = new Uint8Array(4096)
  const memset = libc.find("memset", "address", ["address", "int", "int64"])
  t.is(libc.addressOf(bytes.subarray(7)) - libc.addressOf(bytes), 7)
  memset(libc.addressOf(bytes.subarray(7)), 0x5a, 2)
  t.deepEqual([...bytes.subarray(6, 10)], [0, 0x5a, 0x5a, 0])
  const short = new Uint8Array(9)
  memset(libc.addressOf(short), 3, 9)
  t.deepEqual(
    [...short],
    Array.from({ length: 9 }, () => 3),
  )
})

withLibc("libc: a descriptor is watched until it is closed", async (t, libc) => {
  const pair = new Int32Array(new ArrayBuffer(8))
  const bytes = new Uint8Array(pair.buffer)
  const [local, datagram] = [1, 2]
  t.is(libc.find("socketpair", "int", ["int", "int", "int", "address"])(local, datagram, 0, libc.addressOf(bytes)), 0)
  const [here = -1, there = -1] = pair
  const write = libc.find("write", "int64", ["int", "address", "int64"])
  const close = libc.find("close", "int", ["int"])
  let times = 0
  await new Promise<void>((resolve) => {
    const watch = libc.watch(here, { readable: true, writable: false }, () => {
      times++
      watch.close()
      resolve()
    })
    write(there, libc.addressOf(bytes), 8)
  })
  t.is(times, 1)
  close(here)
  close(there)
})
