/**
 * PR: users and groups. Service 73 at UDP port 7002. OpenAFS ptserver/ptint.xg. ListSuperGroups (530) exists in servers
 * built with super groups only.
 */
import { charVector, i32, text, u32 } from "../codec/xdr.ts"
import { array, struct, vector } from "../codec/xdr-composite.ts"
import { IN, INOUT, OUT, operation, rpcInterface } from "./rpc-interface.ts"

const nameLengthMax = 64
const listMax = 500_000

const prname = charVector(nameLengthMax)
const prstring = text(nameLengthMax)
export const namelist = array(prname, listMax)
export const idlist = array(i32, listMax)
const prlist = array(i32, listMax)

const common = {
  flags: i32,
  id: i32,
  owner: i32,
  creator: i32,
  ngroups: i32,
  nusers: i32,
  count: i32,
  reserved: vector(i32, 5),
  name: prname,
}
const prcheckentry = struct("prcheckentry", common)
const prlistentries = struct("prlistentries", common)
const PrUpdateEntry = struct("PrUpdateEntry", { Mask: u32, ...common })
const prdebugentry = struct("prdebugentry", {
  flags: i32,
  id: i32,
  cellid: i32,
  next: i32,
  reserved: vector(i32, 5),
  entries: vector(i32, 10),
  nextID: i32,
  nextname: i32,
  owner: i32,
  creator: i32,
  ngroups: i32,
  nusers: i32,
  count: i32,
  instance: i32,
  owned: i32,
  nextOwned: i32,
  parent: i32,
  sibling: i32,
  child: i32,
  name: prname,
})

const groups = { elist: OUT(prlist), over: OUT(i32) }

export const PR = rpcInterface(
  "PR",
  { service: 73, isContiguous: true },
  {
    INewEntry: operation(500, { name: IN(prstring), id: IN(i32), oid: IN(i32) }),
    WhereIsIt: operation(501, { id: IN(i32), ps: OUT(i32) }),
    DumpEntry: operation(502, { pos: IN(i32), entry: OUT(prdebugentry) }),
    AddToGroup: operation(503, { uid: IN(i32), gid: IN(i32) }),
    NameToID: operation(504, { nlist: IN(namelist), ilist: OUT(idlist) }),
    IDToName: operation(505, { ilist: IN(idlist), nlist: OUT(namelist) }),
    Delete: operation(506, { id: IN(i32) }),
    RemoveFromGroup: operation(507, { id: IN(i32), gid: IN(i32) }),
    GetCPS: operation(508, { id: IN(i32), ...groups }),
    NewEntry: operation(509, { name: IN(prstring), flag: IN(i32), oid: IN(i32), id: OUT(i32) }),
    ListMax: operation(510, { uid: OUT(i32), gid: OUT(i32) }),
    SetMax: operation(511, { id: IN(i32), gflag: IN(i32) }),
    ListEntry: operation(512, { id: IN(i32), entry: OUT(prcheckentry) }),
    ChangeEntry: operation(513, { id: IN(i32), name: IN(prstring), oid: IN(i32), newid: IN(i32) }),
    ListElements: operation(514, { id: IN(i32), ...groups }),
    IsAMemberOf: operation(515, { uid: IN(i32), gid: IN(i32), flag: OUT(i32) }),
    SetFieldsEntry: operation(516, {
      id: IN(i32),
      mask: IN(i32),
      flags: IN(i32),
      ngroups: IN(i32),
      nusers: IN(i32),
      spare1: IN(i32),
      spare2: IN(i32),
    }),
    ListOwned: operation(517, { id: IN(i32), elist: OUT(prlist), lastp: INOUT(i32) }),
    GetCPS2: operation(518, { id: IN(i32), host: IN(i32), ...groups }),
    GetHostCPS: operation(519, { host: IN(i32), ...groups }),
    UpdateEntry: operation(520, { id: IN(i32), name: IN(prstring), uentry: IN(PrUpdateEntry) }),
    ListEntries: operation(521, {
      flags: IN(i32),
      startindex: IN(i32),
      bulkentries: OUT(array(prlistentries, listMax)),
      nextstartindex: OUT(i32),
    }),
    ListSuperGroups: operation(530, { id: IN(i32), ...groups }),
  },
)

/** No user of that id. OpenAFS ptserver/pterror.et, PRNOENT. */
export const noSuchUser = 267_268
