import test from "ava"
import { MessageHeaders } from "../../../common/rx/message-headers.ts"
import { FakeLibc, readMessage } from "../../support/fake-libc.ts"

test("message headers: the kernel finds address, data and control message of each where they were put", (t) => {
  const libc = new FakeLibc({})
  const headers = new MessageHeaders(libc, 3)
  t.is(headers.count, 3)
  const data = Buffer.from("some data")
  headers.view.setUint16(headers.nameAt(1) + 2, 7001)
  headers.view.setUint32(headers.nameAt(1) + 4, 0x0102_0304)
  headers.setData(1, libc.addressOf(data), 4)
  headers.setControl(1, 17, 103, 1444)
  t.deepEqual(readMessage(libc, headers.headerAddress(1)), {
    host: 0x0102_0304,
    port: 7001,
    data: Buffer.from("some"),
    segment: 1444,
  })
  headers.noControl(1)
  t.is(readMessage(libc, headers.headerAddress(1)).segment, undefined)
})

test("message headers: a control message that is none, short or of another kind is not taken for one", (t) => {
  const libc = new FakeLibc({})
  const headers = new MessageHeaders(libc, 1)
  headers.noControl(0)
  t.is(headers.control(0, 17, 104), undefined)
  headers.setControl(0, 17, 103, 9)
  t.is(headers.control(0, 17, 104), undefined)
  t.is(headers.control(0, 17, 103), 9)
})
