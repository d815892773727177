import test from "ava"
import { type AFSStoreStatus, storeMask } from "../../common/protocol/afsint.ts"
import { encodeAccessList, parseRights } from "../../common/vnode/access-list.ts"
import { vnodeTypes } from "../../common/vnode/vnode-record.ts"
import {
  type AccessObject,
  anonymousRightsOf,
  callerAccess,
  creatorAccess,
  grantedMode,
  judgeAdministrator,
  judgeDelete,
  judgeFetchAccessList,
  judgeFetchData,
  judgeFetchStatus,
  judgeInsert,
  judgeLock,
  judgeStoreAccessList,
  judgeStoreData,
  judgeStoreStatus,
  judgeSuperuser,
  judgeSymlink,
  type Refusal,
  rightsOf,
  type Standing,
} from "../../fileserver/access.ts"
import { anonymousId, type UserIdentity } from "../../fileserver/protection.ts"
import { anonymousCps, identityOf } from "../../fileserver/well-known-protection.ts"
import {
  expectedOutcome,
  type OneRightOperation,
  oneRightTable,
  otherOwner,
  singleRights,
} from "../support/one-right.ts"

const anonymous = identityOf(anonymousId, anonymousCps, () => false)
const user = (id: number, ...groups: number[]): UserIdentity =>
  identityOf(id, [...groups, -102, -101, id], () => id === 1)
const administrator = user(1, -204)
const ann = user(1001, -206)

const object = (type: keyof typeof vnodeTypes, owner = anonymousId, mode = 0o644): AccessObject => ({
  type: vnodeTypes[type],
  owner,
  mode,
  group: 0,
})
const who = (rights: string | number, by: UserIdentity = anonymous, isVolumeOwner = false): Standing => ({
  rights: typeof rights === "number" ? rights : parseRights(rights),
  user: by,
  isVolumeOwner,
})

const unchanged: AFSStoreStatus = { Mask: 0, ClientModTime: 0, Owner: 0, Group: 0, UnixModeBits: 0, SegSize: 0 }
const mode = (UnixModeBits: number): AFSStoreStatus => ({ ...unchanged, Mask: storeMask.mode, UnixModeBits })
const time: AFSStoreStatus = { ...unchanged, Mask: storeMask.modTime, ClientModTime: 5 }
const owner = (Owner: number): AFSStoreStatus => ({ ...unchanged, Mask: storeMask.owner, Owner })

const own = object("file")
const other = object("file", otherOwner)
const directory = object("directory")
const symlink = object("symlink")

type Judge = (standing: Standing) => Refusal | undefined
/** An operation refused for the type of its object is no matter of rights. */
const judges: Readonly<Partial<Record<OneRightOperation, Judge>>> = {
  "directory status": (by) => judgeFetchStatus(directory, by),
  "directory access list": (by) => judgeFetchAccessList(directory, by),
  "directory data": (by) => judgeFetchData(directory, by),
  "symlink status": (by) => judgeFetchStatus(symlink, by),
  "symlink access list": (by) => judgeFetchAccessList(symlink, by),
  "symlink data": (by) => judgeFetchData(symlink, by),
  "own status": (by) => judgeFetchStatus(own, by),
  "other status": (by) => judgeFetchStatus(other, by),
  "own access list": (by) => judgeFetchAccessList(own, by),
  "other access list": (by) => judgeFetchAccessList(other, by),
  "own data": (by) => judgeFetchData(own, by),
  "other data": (by) => judgeFetchData(other, by),
  "own data, mode 0": (by) => judgeFetchData(object("file", anonymousId, 0), by),
  "other data, mode 0": (by) => judgeFetchData(object("file", otherOwner, 0), by),
  "own store": (by) => judgeStoreData(own, by, unchanged),
  "other store": (by) => judgeStoreData(other, by, unchanged),
  "own store, mode 0444": (by) => judgeStoreData(object("file", anonymousId, 0o444), by, unchanged),
  "other store, mode 0444": (by) => judgeStoreData(object("file", otherOwner, 0o444), by, unchanged),
  "own time": (by) => judgeStoreStatus(own, by, time),
  "other time": (by) => judgeStoreStatus(other, by, time),
  "own mode": (by) => judgeStoreStatus(own, by, mode(0o640)),
  "other mode": (by) => judgeStoreStatus(other, by, mode(0o640)),
  "own setuid": (by) => judgeStoreStatus(own, by, mode(0o4755)),
  "other setuid": (by) => judgeStoreStatus(other, by, mode(0o4755)),
  "own owner": (by) => judgeStoreStatus(own, by, owner(99)),
  "other owner": (by) => judgeStoreStatus(other, by, owner(99)),
  "symlink time": (by) => judgeStoreStatus(symlink, by, time),
  "symlink mode": (by) => judgeStoreStatus(symlink, by, mode(0o777)),
  "directory time": (by) => judgeStoreStatus(directory, by, time),
  create: judgeInsert,
  mkdir: judgeInsert,
  link: judgeInsert,
  symlink: (by) => judgeSymlink(by, 0o755),
  "mount point": (by) => judgeSymlink(by, 0o644),
  remove: judgeDelete,
  rmdir: judgeDelete,
  "own read lock": (by) => judgeLock(own, by, "read"),
  "other read lock": (by) => judgeLock(other, by, "read"),
  "own write lock": (by) => judgeLock(own, by, "write"),
  "other write lock": (by) => judgeLock(other, by, "write"),
  "store access list": judgeStoreAccessList,
}

for (const right of singleRights) {
  test(`access: ${right === "" ? "no right" : `right ${right} alone`} allows what it does at OpenAFS's fileserver`, (t) => {
    for (const [operation, judge] of Object.entries(judges)) {
      const expected = expectedOutcome(operation as OneRightOperation, right) // a key of the table
      t.is(judge(who(right)) ?? "ok", expected, operation)
    }
  })
}

test("access: the rows that are not judged are those that another type of object refuses", (t) => {
  const left = Object.keys(oneRightTable).filter((operation) => !(operation in judges))
  t.deepEqual(left, ["directory store", "symlink store"])
})

test("access: no right is forgotten", (t) => {
  t.is(
    singleRights.map(parseRights).reduce((sum, bit) => sum + bit),
    127,
  )
})

test("access: rights are positive entries less negative ones, and those of the host's groups on top", (t) => {
  const area = encodeAccessList({
    positive: [
      { id: -207, rights: parseRights("rw") },
      { id: -101, rights: parseRights("rl") },
      { id: 1001, rights: parseRights("i") },
    ],
    negative: [{ id: -206, rights: parseRights("rw") }],
  })
  t.is(rightsOf(area, anonymous, []), parseRights("rl"))
  t.is(rightsOf(area, ann, []), parseRights("li"))
  t.is(rightsOf(area, ann, [-207]), parseRights("rwli"))
  t.is(rightsOf(area, user(1002), []), parseRights("rl"))
  t.is(anonymousRightsOf(area, [-101], []), parseRights("rl"))
  t.is(anonymousRightsOf(area, [-101], [-207]), parseRights("rlw"))
})

test("access: administrators may always look up, and a set of groups that ends with theirs may do everything", (t) => {
  const nobody = encodeAccessList({ positive: [], negative: [] })
  t.is(rightsOf(nobody, administrator, []), parseRights("l"))
  t.is(rightsOf(nobody, ann, []), 0)
  t.is(rightsOf(nobody, ann, [-207, -204]) & 127, 127)
})

test("access: a damaged list refuses everybody, and throws nothing", (t) => {
  const area = encodeAccessList({ positive: [{ id: -101, rights: 127 }], negative: [] })
  area.fill(0xff, 8, 12)
  t.is(rightsOf(area, ann, []), 0)
  t.is(anonymousRightsOf(area, [-101], []), 0)
  t.is(rightsOf(new Uint8Array(0), anonymous, [-207]), 0)
})

test("access: bit a of a file's or symlink's status tells its owner, that of a directory the access list", (t) => {
  t.is(callerAccess(own, who("rl")), parseRights("rla"))
  t.is(callerAccess(symlink, who("rl")), parseRights("rla"))
  t.is(callerAccess(other, who("rla")), parseRights("rl"))
  t.is(callerAccess(directory, who("rl")), parseRights("rl"))
  t.is(callerAccess(object("directory", otherOwner), who("rla")), parseRights("rla"))
  t.is(creatorAccess(other, who("i")), parseRights("ia"))
  t.is(creatorAccess(symlink, who("i")), parseRights("i"))
  t.is(creatorAccess(directory, who("ia")), parseRights("ia"))
})

test("access: who made a file in a dropbox may fill it and read it back; who has no name may not read it", (t) => {
  const file = object("file", 1001, 0o600)
  t.is(judgeStoreData(file, who("i", ann), unchanged), undefined)
  t.is(judgeFetchData(file, who("i", ann)), undefined)
  t.is(judgeFetchStatus(file, who("i", ann)), undefined)
  t.is(judgeStoreData(object("file"), who("i"), unchanged), undefined)
  t.is(judgeFetchData(object("file"), who("i")), "EACCES")
})

test("access: administrators change owners and setuid bits, set any list, and read no file without r", (t) => {
  const file = object("file", 1001)
  t.is(judgeStoreStatus(file, who("", administrator), owner(5)), undefined)
  t.is(judgeStoreStatus(file, who("", administrator), mode(0o4755)), undefined)
  t.is(judgeStoreStatus(file, who("rlidwka", ann), owner(5)), "EPERM")
  t.is(judgeStoreStatus(file, who("w", ann), owner(1001)), undefined)
  t.is(judgeStoreAccessList(who("", administrator)), undefined)
  t.is(judgeFetchStatus(file, who("l", administrator)), undefined)
  t.is(judgeFetchData(file, who("l", administrator)), "EACCES")
  t.is(judgeStoreData(file, who("l", administrator), unchanged), "EACCES")
  t.is(judgeStoreData(object("file", 1001, 0), who("w", administrator), unchanged), undefined)
  t.is(judgeFetchData(object("file", 1001, 0), who("r", administrator)), undefined)
})

test("access: a group of the same number is no change of the group", (t) => {
  const file = { ...object("file", 1001), group: -5 }
  const change = { ...unchanged, Mask: storeMask.group, Group: -5 >>> 0 }
  t.is(judgeStoreStatus(file, who("w", ann), change), undefined)
  t.is(judgeStoreStatus(file, who("w", ann), { ...change, Group: 7 }), "EPERM")
})

test("access: the volume's owner looks up and sets lists everywhere in it, and no more", (t) => {
  const volumeOwner = who("", ann, true)
  t.is(judgeFetchAccessList(directory, volumeOwner), undefined)
  t.is(judgeFetchData(directory, volumeOwner), undefined)
  t.is(judgeFetchStatus(symlink, volumeOwner), undefined)
  t.is(judgeStoreAccessList(volumeOwner), undefined)
  t.is(judgeFetchData(object("file", otherOwner), volumeOwner), "EACCES")
  t.is(judgeInsert(volumeOwner), "EACCES")
})

test("access: mount points want a beside i", (t) => {
  t.is(judgeSymlink(who("ia", ann), 0o644), undefined)
  t.is(judgeSymlink(who("i", ann), 0o644), "EACCES")
  t.is(judgeSymlink(who("i", administrator), 0o644), undefined)
  t.is(judgeSymlink(who("i", ann), 0o744), undefined)
})

test("access: only administrators set more than the nine bits of a mode", (t) => {
  t.is(grantedMode(0o107755, ann), 0o755)
  t.is(grantedMode(0o107755, administrator), 0o7755)
})

test("access: some calls are for administrators, some for superusers, who are not the same", (t) => {
  t.is(judgeAdministrator(ann), "EACCES")
  t.is(judgeAdministrator(administrator), undefined)
  t.is(judgeSuperuser(ann), "EPERM")
  t.is(judgeSuperuser(user(1)), undefined)
})
