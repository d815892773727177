/**
 * RXAFS: what clients ask of a fileserver. Service 1 at UDP port 7000. OpenAFS fsint/afsint.xg; docs/rpc.md.
 */
import { bigI64, char, charVector, i32, i64, paddedText, u16, u32, u64 } from "../codec/xdr.ts"
import { array, struct, vector } from "../codec/xdr-composite.ts"
import type { XdrOf } from "../codec/xdr-type.ts"
import {
  AFSCallBack,
  AFSCBFids,
  AFSCBs,
  AFSFid,
  AFSLongText,
  AFSName,
  AFSOpaque,
  AFSPath,
  AFSText,
  afsLimits,
  Capabilities,
} from "./afs-types.ts"
import { download, IN, OUT, operation, rpcInterface, upload } from "./rpc-interface.ts"

/** spare1 holds the volume's creation date (clone or release date of a replica). */
export const AFSVolSync = struct("AFSVolSync", {
  spare1: u32,
  spare2: u32,
  spare3: u32,
  spare4: u32,
  spare5: u32,
  spare6: u32,
})
export type AFSVolSync = XdrOf<typeof AFSVolSync>

export const AFSFetchStatus = struct("AFSFetchStatus", {
  InterfaceVersion: u32,
  FileType: u32,
  LinkCount: u32,
  Length: u32,
  DataVersion: u32,
  Author: u32,
  Owner: u32,
  CallerAccess: u32,
  AnonymousAccess: u32,
  UnixModeBits: u32,
  ParentVnode: u32,
  ParentUnique: u32,
  ResidencyMask: u32,
  ClientModTime: u32,
  ServerModTime: u32,
  Group: u32,
  SyncCounter: u32,
  dataVersionHigh: u32,
  lockCount: u32,
  Length_hi: u32,
  errorCode: u32,
})
export type AFSFetchStatus = XdrOf<typeof AFSFetchStatus>

/** AFSFetchStatus.FileType */
export const fileTypes = { file: 1, directory: 2, symlink: 3 } as const

export const AFSStoreStatus = struct("AFSStoreStatus", {
  Mask: u32,
  ClientModTime: u32,
  Owner: u32,
  Group: u32,
  UnixModeBits: u32,
  SegSize: u32,
})
export type AFSStoreStatus = XdrOf<typeof AFSStoreStatus>

/** Bits of AFSStoreStatus.Mask: which fields count. `fsync` asks for data on the platter before the reply. */
export const storeMask = { modTime: 1, owner: 2, group: 4, mode: 8, segSize: 16, fsync: 1024 } as const

const AFSBulkStats = array(AFSFetchStatus, afsLimits.fids)

const ViceDisk = struct("ViceDisk", { BlocksAvailable: i32, TotalBlocks: i32, Name: paddedText(32) })

/** GetStatistics: 45 words and ten disks, 580 bytes. */
export const ViceStatistics = struct("ViceStatistics", {
  CurrentMsgNumber: u32,
  OldestMsgNumber: u32,
  CurrentTime: u32,
  BootTime: u32,
  StartTime: u32,
  CurrentConnections: i32,
  TotalViceCalls: u32,
  TotalFetchs: u32,
  FetchDatas: u32,
  FetchedBytes: u32,
  FetchDataRate: i32,
  TotalStores: u32,
  StoreDatas: u32,
  StoredBytes: u32,
  StoreDataRate: i32,
  TotalRPCBytesSent: u32,
  TotalRPCBytesReceived: u32,
  TotalRPCPacketsSent: u32,
  TotalRPCPacketsReceived: u32,
  TotalRPCPacketsLost: u32,
  TotalRPCBogusPackets: u32,
  SystemCPU: i32,
  UserCPU: i32,
  NiceCPU: i32,
  IdleCPU: i32,
  TotalIO: i32,
  ActiveVM: i32,
  TotalVM: i32,
  EtherNetTotalErrors: i32,
  EtherNetTotalWrites: i32,
  EtherNetTotalInterupts: i32,
  EtherNetGoodReads: i32,
  EtherNetTotalBytesWritten: i32,
  EtherNetTotalBytesRead: i32,
  ProcessSize: i32,
  WorkStations: i32,
  ActiveWorkStations: i32,
  Spare1: i32,
  Spare2: i32,
  Spare3: i32,
  Spare4: i32,
  Spare5: i32,
  Spare6: i32,
  Spare7: i32,
  Spare8: i32,
  Disk1: ViceDisk,
  Disk2: ViceDisk,
  Disk3: ViceDisk,
  Disk4: ViceDisk,
  Disk5: ViceDisk,
  Disk6: ViceDisk,
  Disk7: ViceDisk,
  Disk8: ViceDisk,
  Disk9: ViceDisk,
  Disk10: ViceDisk,
})
export type ViceStatistics = XdrOf<typeof ViceStatistics>

/** The version that GetStatistics64 asks for: the number of its counters. */
export const statisticsVersion64 = 16
const ViceStatistics64 = array(u64, statisticsVersion64)

/** Quotas and blocks in KiB; the four chars are flags. */
export const AFSFetchVolumeStatus = struct("AFSFetchVolumeStatus", {
  Vid: i32,
  ParentId: i32,
  Online: char,
  InService: char,
  Blessed: char,
  NeedsSalvage: char,
  Type: i32,
  MinQuota: i32,
  MaxQuota: i32,
  BlocksInUse: i32,
  PartBlocksAvail: i32,
  PartMaxBlocks: i32,
})
export type AFSFetchVolumeStatus = XdrOf<typeof AFSFetchVolumeStatus>

export const AFSStoreVolumeStatus = struct("AFSStoreVolumeStatus", { Mask: i32, MinQuota: i32, MaxQuota: i32 })
export type AFSStoreVolumeStatus = XdrOf<typeof AFSStoreVolumeStatus>

/** Bits of AFSStoreVolumeStatus.Mask */
export const volumeStatusMask = { minQuota: 1, maxQuota: 2 } as const

const volumeInfoFields = {
  Vid: u32,
  Type: i32,
  Type0: u32,
  Type1: u32,
  Type2: u32,
  Type3: u32,
  Type4: u32,
  ServerCount: u32,
  Server0: u32,
  Server1: u32,
  Server2: u32,
  Server3: u32,
  Server4: u32,
  Server5: u32,
  Server6: u32,
  Server7: u32,
}

/** What GetVolumeInfo answers; not the VolumeInfo of a volume on disk. */
export const VolumeInfo = struct("VolumeInfo", volumeInfoFields)

export const AFSVolumeInfo = struct("AFSVolumeInfo", {
  ...volumeInfoFields,
  Port0: u16,
  Port1: u16,
  Port2: u16,
  Port3: u16,
  Port4: u16,
  Port5: u16,
  Port6: u16,
  Port7: u16,
})

const commandVectors = { int64s: vector(bigI64, 3), int32s: vector(u32, 200), chars: charVector(256) }
const FsCmdInputs = struct("FsCmdInputs", { command: i32, fid: AFSFid, ...commandVectors })
const FsCmdOutputs = struct("FsCmdOutputs", { code: i32, status: AFSFetchStatus, ...commandVectors })

const AFS_CollData = array(i32, afsLimits.collectionOfServer)
const addressMax = 10
const ViceIds = array(i32, addressMax)
const IPAddrs = array(i32, addressMax)
/** 0 read, 1 write. */
const ViceLockType = i32

const statusAndSync = { OutStatus: OUT(AFSFetchStatus), Sync: OUT(AFSVolSync) }
const statusWithPromise = { OutStatus: OUT(AFSFetchStatus), CallBack: OUT(AFSCallBack), Sync: OUT(AFSVolSync) }
const creation = {
  OutFid: OUT(AFSFid),
  OutFidStatus: OUT(AFSFetchStatus),
  OutDirStatus: OUT(AFSFetchStatus),
}
const creationWithPromise = { ...creation, CallBack: OUT(AFSCallBack), Sync: OUT(AFSVolSync) }
const namedInDirectory = { DirFid: IN(AFSFid), Name: IN(AFSName) }
const volumeTexts = { Name: AFSText, OfflineMsg: AFSLongText, Motd: AFSLongText }
const bulkStatus = {
  FidsArray: IN(AFSCBFids),
  StatArray: OUT(AFSBulkStats),
  CBArray: OUT(AFSCBs),
  Sync: OUT(AFSVolSync),
}

export const RXAFS = rpcInterface(
  "RXAFS",
  { service: 1 },
  {
    FetchData: download(130, { Fid: IN(AFSFid), Pos: IN(i32), Length: IN(i32), ...statusWithPromise }, i32),
    FetchACL: operation(131, { Fid: IN(AFSFid), AccessList: OUT(AFSOpaque), ...statusAndSync }),
    FetchStatus: operation(132, { Fid: IN(AFSFid), ...statusWithPromise }),
    StoreData: upload(133, {
      Fid: IN(AFSFid),
      InStatus: IN(AFSStoreStatus),
      Pos: IN(u32),
      Length: IN(u32),
      FileLength: IN(u32),
      ...statusAndSync,
    }),
    StoreACL: operation(134, { Fid: IN(AFSFid), AccessList: IN(AFSOpaque), ...statusAndSync }),
    StoreStatus: operation(135, { Fid: IN(AFSFid), InStatus: IN(AFSStoreStatus), ...statusAndSync }),
    RemoveFile: operation(136, { ...namedInDirectory, ...statusAndSync }),
    CreateFile: operation(137, { ...namedInDirectory, InStatus: IN(AFSStoreStatus), ...creationWithPromise }),
    Rename: operation(138, {
      OldDirFid: IN(AFSFid),
      OldName: IN(AFSName),
      NewDirFid: IN(AFSFid),
      NewName: IN(AFSName),
      OutOldDirStatus: OUT(AFSFetchStatus),
      OutNewDirStatus: OUT(AFSFetchStatus),
      Sync: OUT(AFSVolSync),
    }),
    Symlink: operation(139, {
      ...namedInDirectory,
      LinkContents: IN(AFSPath),
      InStatus: IN(AFSStoreStatus),
      ...creation,
      Sync: OUT(AFSVolSync),
    }),
    Link: operation(140, {
      ...namedInDirectory,
      ExistingFid: IN(AFSFid),
      OutFidStatus: OUT(AFSFetchStatus),
      OutDirStatus: OUT(AFSFetchStatus),
      Sync: OUT(AFSVolSync),
    }),
    MakeDir: operation(141, { ...namedInDirectory, InStatus: IN(AFSStoreStatus), ...creationWithPromise }),
    RemoveDir: operation(142, {
      ...namedInDirectory,
      OutDirStatus: OUT(AFSFetchStatus),
      Sync: OUT(AFSVolSync),
    }),
    // Directions stay in force until the next is named, so the old lock calls have an unused Sync among their arguments.
    OldSetLock: operation(143, { Fid: IN(AFSFid), Type: IN(ViceLockType), Sync: IN(AFSVolSync) }),
    OldExtendLock: operation(144, { Fid: IN(AFSFid), Sync: IN(AFSVolSync) }),
    OldReleaseLock: operation(145, { Fid: IN(AFSFid), Sync: IN(AFSVolSync) }),
    GetStatistics: operation(146, { Statistics: OUT(ViceStatistics) }),
    GiveUpCallBacks: operation(147, { Fids_Array: IN(AFSCBFids), CallBacks_Array: IN(AFSCBs) }),
    GetVolumeInfo: operation(148, { VolumeName: IN(AFSText), Volumeinfo: OUT(VolumeInfo) }),
    GetVolumeStatus: operation(149, {
      Volumeid: IN(i32),
      Volumestatus: OUT(AFSFetchVolumeStatus),
      Name: OUT(volumeTexts.Name),
      OfflineMsg: OUT(volumeTexts.OfflineMsg),
      Motd: OUT(volumeTexts.Motd),
    }),
    SetVolumeStatus: operation(150, {
      Volumeid: IN(i32),
      Volumestatus: IN(AFSStoreVolumeStatus),
      Name: IN(volumeTexts.Name),
      OfflineMsg: IN(volumeTexts.OfflineMsg),
      Motd: IN(volumeTexts.Motd),
    }),
    GetRootVolume: operation(151, { VolumeName: OUT(AFSText) }),
    CheckToken: operation(152, { ViceId: IN(i32), token: IN(AFSOpaque) }),
    GetTime: operation(153, { Seconds: OUT(u32), USeconds: OUT(u32) }),
    NGetVolumeInfo: operation(154, { VolumeName: IN(AFSText), stuff: OUT(AFSVolumeInfo) }),
    BulkStatus: operation(155, bulkStatus),
    SetLock: operation(156, { Fid: IN(AFSFid), Type: IN(ViceLockType), Sync: OUT(AFSVolSync) }),
    ExtendLock: operation(157, { Fid: IN(AFSFid), Sync: OUT(AFSVolSync) }),
    ReleaseLock: operation(158, { Fid: IN(AFSFid), Sync: OUT(AFSVolSync) }),
    XStatsVersion: operation(159, { versionNumberP: OUT(i32) }),
    GetXStats: operation(160, {
      clientVersionNumber: IN(i32),
      collectionNumber: IN(i32),
      srvVersionNumberP: OUT(i32),
      timeP: OUT(i32),
      dataP: OUT(AFS_CollData),
    }),
    Lookup: operation(161, { ...namedInDirectory, ...creationWithPromise }),
    FlushCPS: operation(162, {
      IdsArray: IN(ViceIds),
      AddrsArray: IN(IPAddrs),
      spare1: IN(i32),
      spare2: OUT(i32),
      spare3: OUT(i32),
    }),
    DFSSymlink: operation(163, {
      ...namedInDirectory,
      LinkContents: IN(AFSPath),
      InStatus: IN(AFSStoreStatus),
      ...creationWithPromise,
    }),
    FsCmd: operation(220, { Fid: IN(AFSFid), Inputs: IN(FsCmdInputs), Outputs: OUT(FsCmdOutputs) }),
    InlineBulkStatus: operation(65536, bulkStatus),
    FetchData64: download(65537, { Fid: IN(AFSFid), Pos: IN(i64), Length: IN(i64), ...statusWithPromise }, i64),
    StoreData64: upload(65538, {
      Fid: IN(AFSFid),
      InStatus: IN(AFSStoreStatus),
      Pos: IN(u64),
      Length: IN(u64),
      FileLength: IN(u64),
      ...statusAndSync,
    }),
    GiveUpAllCallBacks: operation(65539, {}),
    GetCapabilities: operation(65540, { capabilities: OUT(Capabilities) }),
    CallBackRxConnAddr: operation(65541, { addr: IN(i32) }),
    GetStatistics64: operation(65542, { statsVersion: IN(i32), Statistics: OUT(ViceStatistics64) }),
  },
)

/** Bits of the first word of GetCapabilities. */
export const serverCapabilities = { errorTranslation: 1, files64: 2, writeLockAcl: 4, saneAcls: 8 } as const
/** The greatest quota or number of blocks that a status can tell. */
export const blocksMax = 2 ** 31 - 1
