import test from "ava"
import type { Xdr } from "../../../common/codec/xdr-type.ts"
import { AFSCallBack, AFSFid } from "../../../common/protocol/afs-types.ts"
import {
  AFSFetchStatus,
  AFSFetchVolumeStatus,
  AFSStoreStatus,
  AFSStoreVolumeStatus,
  AFSVolSync,
  AFSVolumeInfo,
  blocksMax,
  fileTypes,
  RXAFS,
  serverCapabilities,
  statisticsVersion64,
  storeMask,
  ViceStatistics,
  VolumeInfo,
  volumeStatusMask,
} from "../../../common/protocol/afsint.ts"
import { type Procedures, rpcService } from "../../../common/rpc/service.ts"
import { rawCall } from "../../support/memory-call.ts"
import { opcodesOf, proveEveryCall } from "../../support/rpc-echo.ts"

const { operations } = RXAFS
const bytesOf = (...words: string[]): Buffer => Buffer.from(words.join("").replaceAll(/\s/g, ""), "hex")
const hexOf = (bytes: Uint8Array): string => Buffer.from(bytes).toString("hex")

const rootFid = { Volume: 0x20000000, Vnode: 1, Unique: 1 }
const rootStatusBytes = `
  00000001 00000002 00000002 00000800 00000001
  00000000 00000000 0000007f 0000007f 000001ff
  00000001 00000001 00000001 6b014fbb 6b014fbb
  00000000 00000000 00000000 00000000 00000000 00000000`
const promiseBytes = "00000001 0000387c 00000002"
const syncBytes = "6b014fbb 00000000 00000000 00000000 00000000 00000000"

const rootStatus: AFSFetchStatus = {
  InterfaceVersion: 1,
  FileType: 2,
  LinkCount: 2,
  Length: 2048,
  DataVersion: 1,
  Author: 0,
  Owner: 0,
  CallerAccess: 127,
  AnonymousAccess: 127,
  UnixModeBits: 0o777,
  ParentVnode: 1,
  ParentUnique: 1,
  ResidencyMask: 1,
  ClientModTime: 0x6b014fbb,
  ServerModTime: 0x6b014fbb,
  Group: 0,
  SyncCounter: 0,
  dataVersionHigh: 0,
  lockCount: 0,
  Length_hi: 0,
  errorCode: 0,
}
const promise = { CallBackVersion: 1, ExpirationTime: 14460, CallBackType: 2 }
const sync = { spare1: 0x6b014fbb, spare2: 0, spare3: 0, spare4: 0, spare5: 0, spare6: 0 }
const results = { OutStatus: rootStatus, CallBack: promise, Sync: sync }

const serviceOf = (procedures: Procedures<typeof operations>) =>
  rpcService(RXAFS, procedures, {
    log: {
      error: (facts) => {
        throw new Error(JSON.stringify(facts))
      },
    },
  })

test("afsint: the table has every call of the protocol, by opcode and name", (t) => {
  t.deepEqual(opcodesOf(RXAFS), [
    "130 FetchData",
    "131 FetchACL",
    "132 FetchStatus",
    "133 StoreData",
    "134 StoreACL",
    "135 StoreStatus",
    "136 RemoveFile",
    "137 CreateFile",
    "138 Rename",
    "139 Symlink",
    "140 Link",
    "141 MakeDir",
    "142 RemoveDir",
    "143 OldSetLock",
    "144 OldExtendLock",
    "145 OldReleaseLock",
    "146 GetStatistics",
    "147 GiveUpCallBacks",
    "148 GetVolumeInfo",
    "149 GetVolumeStatus",
    "150 SetVolumeStatus",
    "151 GetRootVolume",
    "152 CheckToken",
    "153 GetTime",
    "154 NGetVolumeInfo",
    "155 BulkStatus",
    "156 SetLock",
    "157 ExtendLock",
    "158 ReleaseLock",
    "159 XStatsVersion",
    "160 GetXStats",
    "161 Lookup",
    "162 FlushCPS",
    "163 DFSSymlink",
    "220 FsCmd",
    "65536 InlineBulkStatus",
    "65537 FetchData64",
    "65538 StoreData64",
    "65539 GiveUpAllCallBacks",
    "65540 GetCapabilities",
    "65541 CallBackRxConnAddr",
    "65542 GetStatistics64",
  ])
  t.is(RXAFS.service, 1)
  t.false(RXAFS.isContiguous)
})

test("afsint: four calls move data in their stream, two each way", (t) => {
  const split = Object.values(operations).filter(({ bulk }) => bulk !== undefined)
  t.deepEqual(
    split.map(({ name, bulk }) => `${name} ${bulk?.from}`),
    ["RXAFS_FetchData server", "RXAFS_StoreData client", "RXAFS_FetchData64 server", "RXAFS_StoreData64 client"],
  )
})

test("afsint: structures have the protocol's sizes", (t) => {
  const sizes: readonly [Xdr<unknown>, number][] = [
    [AFSFid, 12],
    [AFSFetchStatus, 84],
    [AFSStoreStatus, 24],
    [AFSCallBack, 12],
    [AFSVolSync, 24],
    [AFSFetchVolumeStatus, 48],
    [AFSStoreVolumeStatus, 12],
    [VolumeInfo, 64],
    [AFSVolumeInfo, 96],
    [ViceStatistics, 580],
    [operations.FetchStatus.request, 12],
    [operations.FetchStatus.reply, 120],
    [operations.CreateFile.reply, 216],
    [operations.Symlink.reply, 12 + 84 + 84 + 24],
    [operations.StoreData.request, 12 + 24 + 12],
    [operations.StoreData64.request, 12 + 24 + 24],
    [operations.StoreData64.reply, 108],
    [operations.FetchData64.request, 28],
    [operations.OldSetLock.request, 12 + 4 + 24],
    [operations.OldSetLock.reply, 0],
    [operations.SetLock.reply, 24],
    [operations.FlushCPS.reply, 8],
    [operations.FsCmd.request, 12 + 4 + 12 + 24 + 800 + 1024],
  ]
  for (const [type, size] of sizes) t.is(type.size, size, type.name)
})

test("afsint: FetchStatus of a volume's root, byte for byte", async (t) => {
  let asked: unknown
  const service = serviceOf({
    FetchStatus(ask) {
      asked = ask
      return results
    },
  })
  const { reply } = await rawCall(service, bytesOf("00000084 20000000 00000001 00000001"))
  t.deepEqual(asked, { Fid: rootFid })
  t.is(hexOf(reply), hexOf(bytesOf(rootStatusBytes, promiseBytes, syncBytes)))
  t.is(reply.length, 120)
})

test("afsint: CreateFile of f1, byte for byte", (t) => {
  const { request } = operations.CreateFile
  const bytes = bytesOf(`20000000 00000001 00000001  00000002 66310000
    0000000d 6b014fd1 00000000 00000000 000081a4 00000000`)
  const ask = {
    DirFid: rootFid,
    Name: Buffer.from("f1"),
    InStatus: { Mask: 13, ClientModTime: 0x6b014fd1, Owner: 0, Group: 0, UnixModeBits: 0o100644, SegSize: 0 },
  }
  t.deepEqual(request.read(bytes), ask)
  t.is(hexOf(request.encode(ask)), hexOf(bytes))
})

test("afsint: StoreData64 of six bytes is a request of 70 bytes, its data unpadded behind the numbers", async (t) => {
  let stored: unknown
  const service = serviceOf({
    StoreData64(ask, _call, bulk) {
      stored = [ask.Pos, ask.Length, ask.FileLength, Buffer.from(bulk.read(ask.Length) ?? []).toString()]
      return { OutStatus: rootStatus, Sync: sync }
    },
  })
  const request = bytesOf(`00010002  20000000 00000002 00000002
    00000001 6b014fd1 00000000 00000000 00000000 00000000
    00000000 00000000  00000000 00000006  00000000 00000006
    68656c6c 6f0a`)
  t.is(request.length, 70)
  const { reply } = await rawCall(service, request)
  t.deepEqual(stored, [0, 6, 6, "hello\n"])
  t.is(reply.length, 108)
})

test("afsint: FetchData64 of two bytes is a reply of 130, the status begins at byte 10", async (t) => {
  const service = serviceOf({
    FetchData64(ask, _call, bulk) {
      t.deepEqual(ask, { Fid: rootFid, Pos: 0, Length: 999_999_999 })
      bulk.begin(2)
      void bulk.write(Buffer.from("1\n"))
      return results
    },
  })
  const { reply } = await rawCall(
    service,
    bytesOf(`00010001 20000000 00000001 00000001 00000000 00000000 00000000 3b9ac9ff`),
  )
  t.is(reply.length, 130)
  t.is(hexOf(reply), hexOf(bytesOf("00000000 00000002 310a", rootStatusBytes, promiseBytes, syncBytes)))
})

test("afsint: FetchData has a length of one word", async (t) => {
  for (const length of [0, 2]) {
    const service = serviceOf({
      FetchData(_ask, _call, bulk) {
        bulk.begin(length)
        void bulk.write(new Uint8Array(length))
        return results
      },
    })
    const { reply } = await rawCall(service, bytesOf("00000082 20000000 00000001 00000001 00000000 00001000"))
    t.is(reply.length, 4 + length + 120)
    t.is(Buffer.from(reply).readUInt32BE(), length)
  }
})

test("afsint: BulkStatus of two fids and InlineBulkStatus of three have 224 and 320 bytes", async (t) => {
  const missing = { ...rootStatus, ...Object.fromEntries(Object.keys(rootStatus).map((key) => [key, 0])) }
  const service = serviceOf({
    BulkStatus: ({ FidsArray }) => ({
      StatArray: FidsArray.map(() => rootStatus),
      CBArray: FidsArray.map(() => promise),
      Sync: sync,
    }),
    InlineBulkStatus: ({ FidsArray }) => ({
      StatArray: FidsArray.map(({ Vnode }) =>
        Vnode === 1 ? rootStatus : { ...missing, InterfaceVersion: 1, errorCode: 102 },
      ),
      CBArray: FidsArray.map(() => promise),
      Sync: sync,
    }),
  })
  const two = await rawCall(service, bytesOf("0000009b 00000002 20000000 00000080 00000042 20000000 00000001 00000001"))
  t.is(two.reply.length, 224)
  const three = await rawCall(
    service,
    bytesOf(`00010000 00000003 20000000 00000080 00000042 20000000 0000270e 00000001 20000000 00000001 00000001`),
  )
  t.is(three.reply.length, 320)
  t.is(hexOf(three.reply.subarray(4, 88)), hexOf(bytesOf("00000001", "00000000".repeat(19), "00000066")))
})

test("afsint: 50 fids are taken, 51 are not; nor are names of 257 bytes and more than 1024 of others", async (t) => {
  const service = serviceOf({
    BulkStatus: () => ({ StatArray: [], CBArray: [], Sync: sync }),
    RemoveFile: ({ Name }) => ({ OutStatus: { ...rootStatus, Length: Name.length }, Sync: sync }),
    StoreACL: () => ({ OutStatus: rootStatus, Sync: sync }),
  })
  const fids = (count: number) =>
    Buffer.concat([bytesOf("0000009b", count.toString(16).padStart(8, "0")), Buffer.alloc(12 * count, 1)])
  t.is((await rawCall(service, fids(50))).code, undefined)
  t.is((await rawCall(service, fids(51))).code, -453)
  const counted = (opcode: string, length: number) =>
    Buffer.concat([
      bytesOf(opcode, "000000010000000100000001", length.toString(16).padStart(8, "0")),
      Buffer.alloc(1028, 0x61),
    ])
  t.is((await rawCall(service, counted("00000088", 256))).code, undefined)
  t.is((await rawCall(service, counted("00000088", 257))).code, -453)
  t.is((await rawCall(service, counted("00000086", 1024))).code, undefined)
  t.is((await rawCall(service, counted("00000086", 1025))).code, -453)
})

test("afsint: an access list, capabilities and a volume's status, byte for byte", (t) => {
  const list = Buffer.from("1\n0\nsystem:anyuser\t127\n\0")
  t.is(list.length, 24)
  const acl = operations.FetchACL.reply.encode({ AccessList: list, OutStatus: rootStatus, Sync: sync })
  t.is(acl.length, 136)
  t.is(hexOf(acl.subarray(0, 28)), `00000018${hexOf(list)}`)
  t.is(hexOf(operations.GetCapabilities.reply.encode({ capabilities: [7] })), "0000000100000007")
  const status = bytesOf(`20000000 20000000 00000001 00000001 00000001 00000000 00000001 00000000 00000000 0000ced1
    04bd55e7 06576580  00000009 726f6f742e63656c6c000000 00000000 00000000`)
  t.is(status.length, 72)
  t.deepEqual(operations.GetVolumeStatus.reply.read(status), {
    Volumestatus: {
      Vid: 0x20000000,
      ParentId: 0x20000000,
      Online: 1,
      InService: 1,
      Blessed: 1,
      NeedsSalvage: 0,
      Type: 1,
      MinQuota: 0,
      MaxQuota: 0,
      BlocksInUse: 0xced1,
      PartBlocksAvail: 0x04bd55e7,
      PartMaxBlocks: 0x06576580,
    },
    Name: "root.cell",
    OfflineMsg: "",
    Motd: "",
  })
})

test("afsint: positions of 64 bits are signed where the protocol has them so, and never wrap to small ones", (t) => {
  const at = (high: string) => bytesOf("00000001 00000001 00000001", high, "00000000 00000000 00000000")
  t.is(operations.FetchData64.request.read(at("ffffffff")).Pos, -(2 ** 32))
  t.is(operations.FetchData64.request.read(at("7fffffff")).Pos, 2 ** 63 - 2 ** 32)
  const store = Buffer.concat([Buffer.alloc(36), bytesOf("ffffffff ffffffff 00200000 00000001 00000000 00000000")])
  t.deepEqual(Object.values(operations.StoreData64.request.read(store)).slice(2), [2 ** 64, 2 ** 53, 0])
})

test("afsint: masks, kinds and capabilities are the protocol's", (t) => {
  t.deepEqual(storeMask, { modTime: 1, owner: 2, group: 4, mode: 8, segSize: 16, fsync: 1024 })
  t.deepEqual(volumeStatusMask, { minQuota: 1, maxQuota: 2 })
  t.deepEqual(fileTypes, { file: 1, directory: 2, symlink: 3 })
  t.deepEqual(serverCapabilities, { errorTranslation: 1, files64: 2, writeLockAcl: 4, saneAcls: 8 })
  t.is(blocksMax, 0x7fffffff)
  t.is(operations.GetStatistics64.reply.sizeMax, 4 + 8 * statisticsVersion64)
})

test("afsint: every call of the table carries its arguments and results between client and server", async (t) => {
  await proveEveryCall(t, RXAFS)
})
