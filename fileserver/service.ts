/**
 * RXAFS, opcode by opcode: what a fileserver does for its clients. Each operation reads the same way: find, may they, is it
 * possible, do, tell others, answer. docs/serving.md.
 */
import { RXAFS } from "../common/protocol/afsint.ts"
import type { RpcCall } from "../common/rpc/rpc-call.ts"
import { type Procedures, rpcService, type Service } from "../common/rpc/service.ts"
import { translateErrno } from "./error-translation.ts"
import { fetchAccessList, storeAccessList } from "./operations/access-list.ts"
import { bulkStatus, inlineBulkStatus } from "./operations/bulk-status.ts"
import { createFile, makeDirectory, makeSymlink } from "./operations/create.ts"
import { fetchData, fetchData64 } from "./operations/fetch-data.ts"
import { fetchStatus } from "./operations/fetch-status.ts"
import { giveUpAllCallBacks, giveUpCallBacks } from "./operations/give-up-callbacks.ts"
import { link } from "./operations/link.ts"
import { extendLock, oldExtendLock, oldReleaseLock, oldSetLock, releaseLock, setLock } from "./operations/locks.ts"
import { removeDirectory, removeFile } from "./operations/remove.ts"
import { rename } from "./operations/rename.ts"
import {
  callBackRxConnAddr,
  checkToken,
  flushCps,
  getCapabilities,
  getRootVolume,
  getTime,
  getVolumeInfo,
  refused,
} from "./operations/server-facts.ts"
import { getStatistics, getStatistics64, getXStats, xstatsVersionOf } from "./operations/statistics.ts"
import { storeData, storeData64 } from "./operations/store-data.ts"
import { storeStatus } from "./operations/store-status.ts"
import { getVolumeStatus, setVolumeStatus } from "./operations/volume-status.ts"
import type { Serving } from "./serving.ts"

type Operations = (typeof RXAFS)["operations"]

/** All procedures that are answered. */
function procedures(serving: Serving): Procedures<Operations> {
  return {
    FetchData: fetchData(serving),
    FetchACL: fetchAccessList(serving),
    FetchStatus: fetchStatus(serving),
    StoreData: storeData(serving),
    StoreACL: storeAccessList(serving),
    StoreStatus: storeStatus(serving),
    RemoveFile: removeFile(serving),
    CreateFile: createFile(serving),
    Rename: rename(serving),
    Symlink: makeSymlink(serving),
    Link: link(serving),
    MakeDir: makeDirectory(serving),
    RemoveDir: removeDirectory(serving),
    OldSetLock: oldSetLock(serving),
    OldExtendLock: oldExtendLock(serving),
    OldReleaseLock: oldReleaseLock(serving),
    GetStatistics: getStatistics(serving),
    GiveUpCallBacks: giveUpCallBacks(serving),
    GetVolumeInfo: getVolumeInfo,
    GetVolumeStatus: getVolumeStatus(serving),
    SetVolumeStatus: setVolumeStatus(serving),
    GetRootVolume: getRootVolume,
    CheckToken: checkToken,
    GetTime: getTime(serving),
    NGetVolumeInfo: getVolumeInfo,
    BulkStatus: bulkStatus(serving),
    SetLock: setLock(serving),
    ExtendLock: extendLock(serving),
    ReleaseLock: releaseLock(serving),
    XStatsVersion: xstatsVersionOf,
    GetXStats: getXStats(serving),
    Lookup: refused,
    FlushCPS: flushCps(serving),
    DFSSymlink: refused,
    FsCmd: refused,
    InlineBulkStatus: inlineBulkStatus(serving),
    FetchData64: fetchData64(serving),
    StoreData64: storeData64(serving),
    GiveUpAllCallBacks: giveUpAllCallBacks(serving),
    GetCapabilities: getCapabilities(serving),
    CallBackRxConnAddr: callBackRxConnAddr(serving),
    GetStatistics64: getStatistics64(serving),
  }
}

/** The fileserver's service. Errors are sent as the client understands them. */
export function fileService(serving: Serving): Service {
  const translate = (code: number, call: RpcCall): number =>
    serving.hosts.knownCaller(call)?.host.translatesErrors === true ? translateErrno(code) : code
  const service = rpcService(RXAFS, procedures(serving), { log: serving.log, translate })
  const onCall = (call: RpcCall): void => {
    serving.counters.calls++
    service.onCall(call)
  }
  return { ...service, onCall }
}
