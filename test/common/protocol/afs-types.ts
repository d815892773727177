import test from "ava"
import type { Xdr } from "../../../common/codec/xdr-type.ts"
import {
  AFSCallBack,
  AFSCBFids,
  AFSCBs,
  AFSDBCacheEntry,
  AFSDBCacheEntry64,
  AFSDBLock,
  AFSFid,
  AFSName,
  AFSOpaque,
  AFSPath,
  Capabilities,
  callBackTypes,
  interfaceAddr,
  serverList,
} from "../../../common/protocol/afs-types.ts"

test("afs-types: structures have the protocol's sizes", (t) => {
  const sizes: readonly [Xdr<unknown>, number][] = [
    [AFSFid, 12],
    [AFSCallBack, 12],
    [interfaceAddr, 4 * 108],
    [AFSDBLock, 4 * (16 + 8)],
    [AFSDBCacheEntry, 4 * (7 + 8 + 7)],
    [AFSDBCacheEntry64, 4 * (8 + 8 + 7)],
  ]
  for (const [type, size] of sizes) t.is(type.size, size, type.name)
})

test("afs-types: counted types have the protocol's bounds", (t) => {
  const bounds: readonly [Xdr<unknown>, number][] = [
    [AFSName, 4 + 256],
    [AFSPath, 4 + 1024],
    [AFSOpaque, 4 + 1024],
    [AFSCBFids, 4 + 50 * 12],
    [AFSCBs, 4 + 50 * 12],
    [Capabilities, 4 + 196 * 4],
    [serverList, 4 + 8 * 4],
  ]
  for (const [type, size] of bounds) t.is(type.sizeMax, size, type.name)
})

test("afs-types: kinds of promises are the protocol's", (t) => {
  t.deepEqual(callBackTypes, { none: 0, exclusive: 1, shared: 2, dropped: 3 })
})

test("afs-types: names of files are their bytes, in whatever encoding the client has", (t) => {
  const bytes = Buffer.from([0, 0, 0, 2, 0xc3, 0xff, 0, 0])
  t.deepEqual(AFSName.read(bytes), Buffer.from([0xc3, 0xff]))
  t.deepEqual(Buffer.from(AFSName.encode(Uint8Array.of(0xc3, 0xff))), bytes)
})
