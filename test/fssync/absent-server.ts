/** A command that finds nobody has to say whom it looked for, and where. */
import test from "ava"
import { absenceText } from "../../fssync/absent-server.ts"

const failure = (code: string): Error => Object.assign(new Error(`connect ${code} /somewhere`), { code })

test("absent server: it is named after its socket, with the state directory where that was looked for", (t) => {
  const none = failure("ENOENT")
  t.regex(
    absenceText("/state/fssync.sock", none),
    /^the fileserver is not running, .* than \/state \(--state-dir\): .*ENOENT$/,
  )
  t.regex(absenceText("/state/salvsync.sock", none), /^the salvage server is not running/)
  t.regex(absenceText("/state/salvages.sock", none), /^the salvage server is not running/)
  t.regex(absenceText("/state/volser.sock", none), /^the volume server is not running/)
  t.regex(absenceText("/state/other.sock", none), /^the server is not running/)
})

test("absent server: one that has ended is told from one that never was", (t) => {
  t.regex(
    absenceText("/state/fssync.sock", failure("ECONNREFUSED")),
    /^the fileserver is not running any more: .*ECONNREFUSED$/,
  )
})

test("absent server: what says nothing of its absence is passed on as it is", (t) => {
  t.is(absenceText("/state/fssync.sock", failure("ENOTSOCK")), "connect ENOTSOCK /somewhere")
  t.is(absenceText("/state/fssync.sock", "no error at all"), "no error at all")
})
