import test from "ava"
import { newVnodeRecord, vnodeTypes } from "../../common/vnode/vnode-record.ts"
import type { UserIdentity } from "../../fileserver/protection.ts"
import { newVnodeFields, statusChanges, storeChanges } from "../../fileserver/store-status.ts"
import { storeStatus } from "../support/rxafs-client.ts"

const user: UserIdentity = { id: 1000, cps: [-101, 1000], isAdministrator: false, isSuperuser: false }
const administrator: UserIdentity = { ...user, isAdministrator: true }
const record = newVnodeRecord("small", { type: vnodeTypes.file, mode: 0o6755 })
const now = 1_700_000_000

test("store status: a new object has the caller's id and all bits, unless more is said", (t) => {
  t.deepEqual(newVnodeFields(storeStatus({}), user, now), {
    owner: 1000,
    group: undefined,
    author: 1000,
    mode: 0o777,
    clientModTime: now,
    now,
  })
  const full = storeStatus({ modTime: 5, owner: 6, group: 7, mode: 0o106_644 })
  t.deepEqual(newVnodeFields(full, user, now), { owner: 6, group: 7, author: 1000, mode: 0o644, clientModTime: 5, now })
  t.is(newVnodeFields(full, administrator, now).mode, 0o6644)
})

test("store status: only what is given changes", (t) => {
  const none = { owner: undefined, group: undefined, mode: undefined, clientModTime: undefined, now }
  t.deepEqual(statusChanges(record, storeStatus({}), user, now), none)
  t.deepEqual(statusChanges(record, storeStatus({ modTime: 3 }), user, now), { ...none, clientModTime: 3 })
  t.deepEqual(statusChanges(record, storeStatus({ group: 0xffff_ff34 }), administrator, now), { ...none, group: -204 })
})

test("store status: an ordinary user's store takes the setuid bit away, and a new owner both bits", (t) => {
  t.is(storeChanges(record, storeStatus({}), user, now).mode, 0o2755)
  t.is(storeChanges(record, storeStatus({}), administrator, now).mode, undefined)
  t.is(statusChanges(record, storeStatus({ owner: 3 }), user, now).mode, 0o755)
  t.is(storeChanges(record, storeStatus({ mode: 0o600 }), user, now).mode, 0o600)
  t.is(storeChanges(record, storeStatus({}), user, now).clientModTime, now)
})
