import test from "ava"
import { codeName, explained, plainCode } from "../../client/server-error.ts"
import { AfsError, isAfsError } from "../../common/error.ts"
import { isRpcError, RpcError } from "../../common/rpc/rpc-call.ts"

test("server errors: numbers of OpenAFS's table are errnos again, others stay", (t) => {
  t.is(plainCode(49_733_376), 1)
  t.is(plainCode(49_733_376 + 21), 22)
  t.is(plainCode(49_733_376 + 56), 57)
  t.is(plainCode(49_733_376 + 57), 59)
  t.is(plainCode(49_733_376 + 120), 122)
  t.is(plainCode(49_733_376 + 123), 49_733_376 + 123)
  t.is(plainCode(110), 110)
  t.is(plainCode(-100), -100)
})

test("server errors: codes have names, of AFS or of the system", (t) => {
  t.is(codeName(103), "VNOVOL")
  t.is(codeName(49_733_376 + 12), "EACCES")
  t.is(codeName(122), "EDQUOT")
  t.is(codeName(-455), "-455")
  t.is(codeName(363_524), "363524")
})

test("server errors: people get an AfsError, with what it is about", (t) => {
  const subject = { volume: 5, vnode: 3 }
  const error = explained(new RpcError(49_733_376 + 1, "RXAFS_RemoveFile"), "remove", subject)
  t.true(isAfsError(error, "ENOENT"))
  t.deepEqual((error as AfsError).subject, subject) // as the line before says
  t.true(isAfsError(explained(new RpcError(110, "x"), "fetch", {}), "VBUSY"))
  t.true(isAfsError(explained(new RpcError(-1, "x"), "fetch", {}), "UNREACHABLE"))
})

test("server errors: numbers without a code of ours keep it, other errors pass", (t) => {
  const odd = explained(new RpcError(-455, "RXAFS_GetTime"), "time", {})
  t.true(isRpcError(odd, -455))
  const own = new AfsError("EINVAL", "store")
  t.is(explained(own, "store", {}), own)
})
