import test from "ava"
import { impatientRule, patientRule, whyNotAgain } from "../../fssync/retry-rule.ts"

const sent = (tries: number, repeatable = true) => ({ tries, firstSent: 1000, repeatable })

test("retry: daemons wait 206 seconds for a server in OpenAFS's steps, commands not at all", (t) => {
  t.deepEqual(patientRule.connectPauses, [3, 3, 3, 5, 5, 5, 7, 15, 16, 24, 32, 40, 48])
  t.is(
    patientRule.connectPauses.reduce((sum, pause) => sum + pause, 0),
    206,
  )
  t.deepEqual(impatientRule.connectPauses, [])
})

test("retry: a request is sent six times at most", (t) => {
  for (let tries = 0; tries < 6; tries++) t.is(whyNotAgain(patientRule, sent(tries), 2000), undefined)
  t.regex(whyNotAgain(patientRule, sent(6), 2000) ?? "", /broke 6 times/)
})

test("retry: a request is not sent again 120 seconds after the first time", (t) => {
  t.is(whyNotAgain(patientRule, sent(2), 1000 + 119_999), undefined)
  t.regex(whyNotAgain(patientRule, sent(2), 1000 + 120_000) ?? "", /again and again/)
})

test("retry: a request that may not be repeated is sent once, and waits for its first time as long as others", (t) => {
  t.is(whyNotAgain(patientRule, sent(0, false), 1e9), undefined)
  t.regex(whyNotAgain(patientRule, sent(1, false), 1001) ?? "", /whether it was done is not known/)
})
