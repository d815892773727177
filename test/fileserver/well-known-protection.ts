import test from "ava"
import { isAfsError } from "../../common/error.ts"
import { anonymousCps, identityOf, knownId, wellKnownProtection } from "../../fileserver/well-known-protection.ts"

const peer = { host: 0x0a63_0001, port: 7001 }
const protection = wellKnownProtection({ has: () => true })

test("well-known protection: everybody is anonymous, at once", (t) => {
  const user = protection.userOf({ peer })
  if (user instanceof Promise) return t.fail("later")
  t.is(user.id, 32_766)
  t.deepEqual(user.cps, [-101, 32_766])
  t.false(user.isAdministrator)
  t.true(user.isSuperuser)
  t.deepEqual(protection.hostGroups(peer.host), [])
  t.deepEqual(protection.anyUser, [-101])
})

test("well-known protection: a caller with a name is refused, since nobody can tell what it may not do", (t) => {
  const user = { name: "ann", instance: "", cell: "", expires: 2e9 }
  t.true(
    isAfsError(
      t.throws(() => protection.userOf({ peer, user })),
      "EACCES",
    ),
  )
})

test("well-known protection: groups of every cell go by name, the others by number", (t) => {
  const names = ["system:anyuser", "System:AuthUser", "system:administrators", "1001", "-206", "ann", "anonymous"]
  t.deepEqual(protection.idsOf(names), [-101, -102, -204, 1001, -206, undefined, undefined])
  t.deepEqual(protection.namesOf([-101, -102, -204, 1001, -206]), [
    "system:anyuser",
    "system:authuser",
    "system:administrators",
    "1001",
    "-206",
  ])
})

test("well-known protection: numbers that no user can have are no names", (t) => {
  for (const name of ["0", "-0", "32766", "4294967295", "99999999999", "1e3", "", "+5", "5 "])
    t.is(knownId(name), undefined, name)
})

test("identity: administrators are members of their group; superusers are looked up at each look", (t) => {
  let looks = 0
  const identity = identityOf(1001, [-204, -101, 1001], () => ++looks > 1)
  t.true(identity.isAdministrator)
  t.false(identity.isSuperuser)
  t.true(identity.isSuperuser)
  t.false(identityOf(32_766, anonymousCps, () => false).isAdministrator)
})
