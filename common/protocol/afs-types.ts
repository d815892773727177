/**
 * Structures that fileserver and cache manager share. Names as the protocol has them, in the order of the wire; all
 * integers are words. OpenAFS fsint/common.xg; docs/rpc.md.
 */
import { bigI64, char, charVector, i16, i32, name, opaque, text, u32, uuid } from "../codec/xdr.ts"
import { array, struct, vector } from "../codec/xdr-composite.ts"
import type { XdrOf } from "../codec/xdr-type.ts"

/** Bounds of the declarations. */
export const afsLimits = {
  name: 256,
  path: 1024,
  opaque: 1024,
  /** Fids, callbacks and statuses in one call. */
  fids: 50,
  collectionOfServer: 1024,
  collectionOfClient: 2048,
  capabilities: 196,
  interfaceAddresses: 32,
  cellHosts: 8,
} as const

export const AFSFid = struct("AFSFid", { Volume: u32, Vnode: u32, Unique: u32 })
export type AFSFid = XdrOf<typeof AFSFid>

/** ExpirationTime is in seconds from now. */
export const AFSCallBack = struct("AFSCallBack", { CallBackVersion: u32, ExpirationTime: u32, CallBackType: u32 })
export type AFSCallBack = XdrOf<typeof AFSCallBack>

/** AFSCallBack.CallBackType */
export const callBackTypes = { none: 0, exclusive: 1, shared: 2, dropped: 3 } as const

export const AFSCBFids = array(AFSFid, afsLimits.fids)
export const AFSCBs = array(AFSCallBack, afsLimits.fids)
export const AFSOpaque = opaque(afsLimits.opaque)
/** A name in a directory, as its bytes. */
export const AFSName = name(afsLimits.name)
/** Contents of a symlink, as their bytes. */
export const AFSPath = name(afsLimits.path)
/** A name that is not in a directory: of a volume or a cell. */
export const AFSText = text(afsLimits.name)
export const AFSLongText = text(afsLimits.opaque)
export const Capabilities = array(u32, afsLimits.capabilities)

/** What a cache manager says of itself; addresses in network order like every word. */
export const interfaceAddr = struct("interfaceAddr", {
  numberOfInterfaces: i32,
  uuid,
  addr_in: vector(u32, afsLimits.interfaceAddresses),
  subnetmask: vector(u32, afsLimits.interfaceAddresses),
  mtu: vector(i32, afsLimits.interfaceAddresses),
})
export type InterfaceAddr = XdrOf<typeof interfaceAddr>

const AFSDBLockDesc = struct("AFSDBLockDesc", {
  waitStates: char,
  exclLocked: char,
  readersReading: i16,
  numWaiting: i16,
  spare: i16,
  pid_last_reader: i32,
  pid_writer: i32,
  src_indicator: i32,
})

export const AFSDBLock = struct("AFSDBLock", { name: charVector(16), lock: AFSDBLockDesc })

const cacheEntry = <L extends typeof i32 | typeof bigI64>(what: string, Length: L) =>
  struct(what, {
    addr: i32,
    cell: i32,
    netFid: AFSFid,
    Length,
    DataVersion: i32,
    lock: AFSDBLockDesc,
    callback: i32,
    cbExpires: i32,
    refCount: i16,
    opens: i16,
    writers: i16,
    mvstat: char,
    states: char,
  })

export const AFSDBCacheEntry = cacheEntry("AFSDBCacheEntry", i32)
export const AFSDBCacheEntry64 = cacheEntry("AFSDBCacheEntry64", bigI64)
export const serverList = array(i32, afsLimits.cellHosts)
/** Words, as many as the client has. */
export const cacheConfig = array(u32)
