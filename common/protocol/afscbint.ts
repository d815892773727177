/**
 * RXAFSCB: what a fileserver asks of a client. Service 1, over connections that the fileserver makes from its own port.
 * Opcodes below 211 and those of the cache (215 to 218, 65536, 65537) serve debugging tools. OpenAFS fsint/afscbint.xg.
 */
import { i32, u32, uuid } from "../codec/xdr.ts"
import { array } from "../codec/xdr-composite.ts"
import {
  AFSCBFids,
  AFSCBs,
  AFSDBCacheEntry,
  AFSDBCacheEntry64,
  AFSDBLock,
  AFSText,
  afsLimits,
  Capabilities,
  cacheConfig,
  interfaceAddr,
  serverList,
} from "./afs-types.ts"
import { IN, OUT, operation, rpcInterface } from "./rpc-interface.ts"

const AFSCB_CollData = array(i32, afsLimits.collectionOfClient)
const cell = { cellName: OUT(AFSText), cellHosts: OUT(serverList) }

export const RXAFSCB = rpcInterface(
  "RXAFSCB",
  { service: 1 },
  {
    CallBack: operation(204, { Fids_Array: IN(AFSCBFids), CallBacks_Array: IN(AFSCBs) }),
    InitCallBackState: operation(205, {}),
    Probe: operation(206, {}),
    GetLock: operation(207, { index: IN(i32), lock: OUT(AFSDBLock) }),
    GetCE: operation(208, { index: IN(i32), ce: OUT(AFSDBCacheEntry) }),
    XStatsVersion: operation(209, { versionNumberP: OUT(i32) }),
    GetXStats: operation(210, {
      clientVersionNumber: IN(i32),
      collectionNumber: IN(i32),
      srvVersionNumberP: OUT(i32),
      timeP: OUT(i32),
      dataP: OUT(AFSCB_CollData),
    }),
    InitCallBackState2: operation(211, { addr: OUT(interfaceAddr) }),
    WhoAreYou: operation(212, { addr: OUT(interfaceAddr) }),
    InitCallBackState3: operation(213, { serverUuid: IN(uuid) }),
    ProbeUuid: operation(214, { clientUuid: IN(uuid) }),
    GetServerPrefs: operation(215, { serverIndex: IN(i32), srvrAddr: OUT(i32), srvrRank: OUT(i32) }),
    GetCellServDB: operation(216, { cellIndex: IN(i32), ...cell }),
    GetLocalCell: operation(217, { cellName: OUT(AFSText) }),
    GetCacheConfig: operation(218, {
      callerVersion: IN(u32),
      serverVersion: OUT(u32),
      configCount: OUT(u32),
      config: OUT(cacheConfig),
    }),
    GetCE64: operation(65536, { index: IN(i32), ce: OUT(AFSDBCacheEntry64) }),
    GetCellByNum: operation(65537, { cellNumber: IN(i32), ...cell }),
    TellMeAboutYourself: operation(65538, { addr: OUT(interfaceAddr), capabilities: OUT(Capabilities) }),
  },
)

/** Bits of the first word of a client's capabilities. */
export const clientCapabilities = { errorTranslation: 1 } as const
