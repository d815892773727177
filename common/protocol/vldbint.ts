/**
 * VL: where volumes are. Service 52 at UDP port 7003. OpenAFS vlserver/vldbint.xg and vl_opcodes.h.
 * The opcodes 525, 526 and 528 to 531 are names without procedures in OpenAFS too.
 */
import { charVector, i32, text, u32, uuid } from "../codec/xdr.ts"
import { array, list, struct, vector } from "../codec/xdr-composite.ts"
import type { XdrOf } from "../codec/xdr-type.ts"
import { IN, OUT, operation, rpcInterface } from "./rpc-interface.ts"

const nameLengthMax = 65
const sitesMaxOld = 8
const sitesMax = 13
const typesMax = 3
const addressesMax = 500
/** The declaration has no bound for its linked lists: as many as a database can hold. */
const listMax = 1 << 20

const volumename = text(nameLengthMax)
const name = charVector(nameLengthMax)
const volumeId = vector(u32, typesMax)
const spares = {
  spares2: i32,
  spares3: i32,
  spares4: i32,
  spares5: i32,
  spares6: i32,
  spares7: i32,
  spares8: i32,
  spares9: i32,
}

/** The oldest form, for eight sites at most. */
export const vldbentry = struct("vldbentry", {
  name,
  spares3: i32,
  nServers: i32,
  serverNumber: vector(u32, sitesMaxOld),
  serverPartition: vector(i32, sitesMaxOld),
  serverFlags: vector(i32, sitesMaxOld),
  volumeId,
  cloneId: u32,
  flags: i32,
})

/** What every form of an entry ends with; volumeId are the ids of the read-write, read-only and backup volumes. */
const entryTail = { volumeId, cloneId: u32, flags: i32, matchindex: i32, ...spares }

/** serverNumber are IPv4 addresses. */
export const nvldbentry = struct("nvldbentry", {
  name,
  nServers: i32,
  serverNumber: vector(u32, sitesMax),
  serverPartition: vector(i32, sitesMax),
  serverFlags: vector(i32, sitesMax),
  ...entryTail,
})

/** Servers by UUID; a site without flag `uuid` has its address in the first word of it. */
export const uvldbentry = struct("uvldbentry", {
  name,
  nServers: i32,
  serverNumber: vector(uuid, sitesMax),
  serverUnique: vector(i32, sitesMax),
  serverPartition: vector(i32, sitesMax),
  serverFlags: vector(i32, sitesMax),
  ...entryTail,
})
export type Uvldbentry = XdrOf<typeof uvldbentry>

/** Bits of an entry's flags. */
export const entryFlags = {
  moving: 0x10,
  releasing: 0x20,
  backingUp: 0x40,
  deleting: 0x80,
  dumping: 0x100,
  rwExists: 0x1000,
  roExists: 0x2000,
  backupExists: 0x4000,
} as const
/** Bits of serverFlags. */
export const siteFlags = { newRelease: 1, ro: 2, rw: 4, backup: 8, uuid: 0x10, doNotUse: 0x20 } as const

const VldbUpdateEntry = struct("VldbUpdateEntry", {
  Mask: u32,
  name,
  spares3: i32,
  flags: i32,
  ReadOnlyId: u32,
  BackupId: u32,
  cloneId: u32,
  nModifiedRepsites: i32,
  RepsitesMask: vector(u32, sitesMaxOld),
  RepsitesTargetServer: vector(u32, sitesMaxOld),
  RepsitesTargetPart: vector(i32, sitesMaxOld),
  RepsitesNewServer: vector(u32, sitesMaxOld),
  RepsitesNewPart: vector(i32, sitesMaxOld),
  RepsitesNewFlags: vector(i32, sitesMaxOld),
})

/** What to list: fields count if their bit is in Mask (1 server, 2 partition, 8 volumeid, 16 flag). */
const VldbListByAttributes = struct("VldbListByAttributes", {
  Mask: u32,
  server: u32,
  partition: i32,
  spares3: i32,
  volumeid: u32,
  flag: i32,
})

const ListAddrByAttributes = struct("ListAddrByAttributes", {
  Mask: i32,
  ipaddr: u32,
  index: i32,
  spare1: i32,
  uuid,
})
/** Bits of ListAddrByAttributes.Mask */
export const addressMask = { address: 1, index: 2, uuid: 4 } as const

const vital_vlheader = struct("vital_vlheader", {
  vldbversion: i32,
  headersize: i32,
  freePtr: i32,
  eofPtr: i32,
  allocs: i32,
  frees: i32,
  MaxVolumeId: u32,
  totalEntries: vector(i32, typesMax),
})
const opcodesMax = 50
const vldstats = struct("vldstats", {
  start_time: u32,
  requests: vector(i32, opcodesMax),
  aborts: vector(i32, opcodesMax),
  reserved: vector(i32, 5),
})
const VLCallBack = struct("VLCallBack", {
  CallBackVersion: u32,
  ExpirationTime: u32,
  CallBackType: u32,
  Handle: u32,
})

const bulkaddrs = array(u32, addressesMax)
const byId = { Volid: IN(u32), voltype: IN(i32) }
const byAttributes = { attributes: IN(VldbListByAttributes), nentries: OUT(i32) }
const nextEntry = { previous_index: IN(i32), count: OUT(i32), next_index: OUT(i32) }
const ReleaseType = IN(i32)

export const VL = rpcInterface(
  "VL",
  { service: 52, isContiguous: true },
  {
    CreateEntry: operation(501, { newentry: IN(vldbentry) }),
    DeleteEntry: operation(502, byId),
    GetEntryByID: operation(503, { ...byId, entry: OUT(vldbentry) }),
    GetEntryByNameO: operation(504, { volumename: IN(volumename), entry: OUT(vldbentry) }),
    GetNewVolumeId: operation(505, { bumpcount: IN(u32), newvolumid: OUT(u32) }),
    ReplaceEntry: operation(506, { ...byId, newentry: IN(vldbentry), ReleaseType }),
    UpdateEntry: operation(507, { ...byId, UpdateEntry: IN(VldbUpdateEntry), ReleaseType }),
    SetLock: operation(508, { ...byId, voloper: IN(i32) }),
    ReleaseLock: operation(509, { ...byId, ReleaseType }),
    ListEntry: operation(510, { ...nextEntry, entry: OUT(vldbentry) }),
    ListAttributes: operation(511, { ...byAttributes, blkentries: OUT(array(vldbentry)) }),
    LinkedList: operation(512, { ...byAttributes, linkedentries: OUT(list(vldbentry, listMax)) }),
    GetStats: operation(513, { stats: OUT(vldstats), vital_header: OUT(vital_vlheader) }),
    ProbeServer: operation(514, {}),
    GetAddrs: operation(515, {
      Handle: IN(i32),
      spare2: IN(i32),
      spare3: OUT(VLCallBack),
      nentries: OUT(i32),
      blkaddrs: OUT(bulkaddrs),
    }),
    ChangeAddr: operation(516, { ip1: IN(u32), ip2: IN(u32) }),
    CreateEntryN: operation(517, { newentry: IN(nvldbentry) }),
    GetEntryByIDN: operation(518, { ...byId, entry: OUT(nvldbentry) }),
    GetEntryByNameN: operation(519, { volumename: IN(volumename), entry: OUT(nvldbentry) }),
    ReplaceEntryN: operation(520, { ...byId, newentry: IN(nvldbentry), ReleaseType }),
    ListEntryN: operation(521, { ...nextEntry, entry: OUT(nvldbentry) }),
    ListAttributesN: operation(522, { ...byAttributes, blkentries: OUT(array(nvldbentry)) }),
    LinkedListN: operation(523, { ...byAttributes, linkedentries: OUT(list(nvldbentry, listMax)) }),
    UpdateEntryByName: operation(524, {
      volumename: IN(volumename),
      UpdateEntry: IN(VldbUpdateEntry),
      ReleaseType,
    }),
    GetEntryByNameU: operation(527, { volumename: IN(volumename), entry: OUT(uvldbentry) }),
    RegisterAddrs: operation(532, { uuidp: IN(uuid), spare1: IN(i32), ipaddr: IN(bulkaddrs) }),
    GetAddrsU: operation(533, {
      inaddr: IN(ListAddrByAttributes),
      uuidp1: OUT(uuid),
      uniquifier: OUT(i32),
      nentries: OUT(i32),
      blkaddrs: OUT(bulkaddrs),
    }),
    ListAttributesN2: operation(534, {
      attributes: IN(VldbListByAttributes),
      volumename: IN(volumename),
      startindex: IN(i32),
      nentries: OUT(i32),
      blkentries: OUT(array(nvldbentry)),
      nextstartindex: OUT(i32),
    }),
  },
)

/** Answers of vlservers that others decide on. OpenAFS vlserver/vl_errors.et. */
export const locationCodes = {
  noEntry: 363_524,
  permission: 363_546,
  /** Another server has registered one of the addresses under another UUID. */
  multipleAddress: 363_550,
} as const
/** Answers of replicated database servers: try the next. OpenAFS ubik/uerrors.et. */
export const quorumCodes = { noQuorum: 5376, notSyncSite: 5377 } as const
