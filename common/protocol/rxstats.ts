/**
 * RXSTATS: counts of RPCs, a second service on every AFS server's port (409). OpenAFS rxstat/rxstat.xg. We collect none:
 * queries are answered as by a server whose collection is off, and nobody may turn it on.
 */
import { i32, u32 } from "../codec/xdr.ts"
import { array } from "../codec/xdr-composite.ts"
import { RpcError } from "../rpc/rpc-call.ts"
import type { Procedures } from "../rpc/service.ts"
import { IN, OUT, operation, rpcInterface } from "./rpc-interface.ts"

const statistics = {
  clientVersion: IN(u32),
  serverVersion: OUT(u32),
  clock_sec: OUT(u32),
  clock_usec: OUT(u32),
  stat_count: OUT(u32),
  stats: OUT(array(u32)),
}

export const RXSTATS = rpcInterface(
  "RXSTATS",
  { service: 409 },
  {
    RetrieveProcessRPCStats: operation(0, statistics),
    RetrievePeerRPCStats: operation(1, statistics),
    QueryProcessRPCStats: operation(2, { on: OUT(i32) }),
    QueryPeerRPCStats: operation(3, { on: OUT(i32) }),
    EnableProcessRPCStats: operation(4, {}),
    EnablePeerRPCStats: operation(5, {}),
    DisableProcessRPCStats: operation(6, {}),
    DisablePeerRPCStats: operation(7, {}),
    QueryRPCStatsVersion: operation(8, { ver: OUT(u32) }),
    ClearProcessRPCStats: operation(9, { clearFlag: IN(u32) }),
    ClearPeerRPCStats: operation(10, { clearFlag: IN(u32) }),
  },
)

const retrievalVersion = 1
const notPermitted = 1

/** The answers of a server that collects nothing. `now` gives Unix time in milliseconds. */
export function collectionOff(now: () => number): Required<Procedures<(typeof RXSTATS)["operations"]>> {
  const nothing = () => {
    const ms = now()
    return {
      serverVersion: retrievalVersion,
      clock_sec: Math.floor(ms / 1000),
      clock_usec: (Math.floor(ms) % 1000) * 1000,
      stat_count: 0,
      stats: [],
    }
  }
  const refuse = (name: string) => (): never => {
    throw new RpcError(notPermitted, `RXSTATS_${name}`)
  }
  return {
    RetrieveProcessRPCStats: nothing,
    RetrievePeerRPCStats: nothing,
    QueryProcessRPCStats: () => ({ on: 0 }),
    QueryPeerRPCStats: () => ({ on: 0 }),
    EnableProcessRPCStats: refuse("EnableProcessRPCStats"),
    EnablePeerRPCStats: refuse("EnablePeerRPCStats"),
    DisableProcessRPCStats: refuse("DisableProcessRPCStats"),
    DisablePeerRPCStats: refuse("DisablePeerRPCStats"),
    QueryRPCStatsVersion: () => ({ ver: retrievalVersion }),
    ClearProcessRPCStats: refuse("ClearProcessRPCStats"),
    ClearPeerRPCStats: refuse("ClearPeerRPCStats"),
  }
}
