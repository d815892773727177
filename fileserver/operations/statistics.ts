/**
 * GetStatistics (146), GetStatistics64 (65542), XStatsVersion (159), GetXStats (160): counters for `scout`, `xstat_fs_test`
 * and others. OpenAFS viced/afsfileprocs.c, viced/fs_stats.h.
 */
import { secondsOf } from "../../common/clock.ts"
import { usableBytes } from "../../common/disk/disk.ts"
import { AfsError } from "../../common/error.ts"
import type { Partition } from "../../common/partition/partition.ts"
import { blocksMax, statisticsVersion64 } from "../../common/protocol/afsint.ts"
import { RpcError } from "../../common/rpc/rpc-call.ts"
import { then } from "../eventually.ts"
import type { RxafsProcedure, Serving } from "../serving.ts"
import { rateOf } from "../serving-counters.ts"

/** Times, sizes and rates that both kinds of statistics show. */
function factsOf(serving: Serving) {
  const { counters, hosts, clock, connections } = serving
  const { hosts: WorkStations, active: ActiveWorkStations } = hosts.counts()
  return {
    CurrentTime: secondsOf(clock.now()),
    BootTime: 0,
    StartTime: counters.startTime,
    CurrentConnections: connections(),
    TotalFetchs: counters.fetches,
    FetchDatas: counters.fetchDatas,
    FetchedBytes: counters.fetchedBytes,
    FetchDataRate: rateOf(counters.fetchedBytes, counters.fetchMs),
    TotalStores: counters.stores,
    StoreDatas: counters.storeDatas,
    StoredBytes: counters.storedBytes,
    StoreDataRate: rateOf(counters.storedBytes, counters.storeMs),
    TotalViceCalls: counters.calls,
    WorkStations,
    ActiveWorkStations,
    ProcessSize: Math.floor(process.memoryUsage.rss() / kib),
  }
}

const kib = 1024
const blocks = (bytes: number): number => Math.min(blocksMax, Math.floor(bytes / kib))
const low32 = (count: number): number => count % 2 ** 32

function diskOf(partition: Partition | undefined) {
  if (partition === undefined) return { BlocksAvailable: 0, TotalBlocks: 0, Name: "" }
  const space = partition.disk.space(partition.path)
  return {
    BlocksAvailable: blocks(space.availableBytes),
    TotalBlocks: blocks(usableBytes(space)),
    Name: partition.name,
  }
}

/** What nobody has filled in for decades. */
const forgotten = {
  CurrentMsgNumber: 0,
  OldestMsgNumber: 0,
  TotalRPCBytesSent: 0,
  TotalRPCBytesReceived: 0,
  TotalRPCPacketsSent: 0,
  TotalRPCPacketsReceived: 0,
  TotalRPCPacketsLost: 0,
  TotalRPCBogusPackets: 0,
  SystemCPU: 0,
  UserCPU: 0,
  NiceCPU: 0,
  IdleCPU: 0,
  TotalIO: 0,
  ActiveVM: 0,
  TotalVM: 0,
  EtherNetTotalErrors: 0,
  EtherNetTotalWrites: 0,
  EtherNetTotalInterupts: 0,
  EtherNetGoodReads: 0,
  EtherNetTotalBytesWritten: 0,
  EtherNetTotalBytesRead: 0,
  Spare1: 0,
  Spare2: 0,
  Spare3: 0,
  Spare4: 0,
  Spare5: 0,
  Spare6: 0,
  Spare7: 0,
  Spare8: 0,
}

/** Counters wrap at 2^32, rates stay below 2^31. */
export const getStatistics =
  (serving: Serving): RxafsProcedure<"GetStatistics"> =>
  (_ask, call) =>
    then(serving.hosts.callerOf(call), () => {
      const { partitions } = serving.volumes
      const facts = factsOf(serving)
      return {
        Statistics: {
          ...forgotten,
          ...facts,
          TotalFetchs: low32(facts.TotalFetchs),
          FetchDatas: low32(facts.FetchDatas),
          FetchedBytes: low32(facts.FetchedBytes),
          TotalStores: low32(facts.TotalStores),
          StoreDatas: low32(facts.StoreDatas),
          StoredBytes: low32(facts.StoredBytes),
          TotalViceCalls: low32(facts.TotalViceCalls),
          Disk1: diskOf(partitions[0]),
          Disk2: diskOf(partitions[1]),
          Disk3: diskOf(partitions[2]),
          Disk4: diskOf(partitions[3]),
          Disk5: diskOf(partitions[4]),
          Disk6: diskOf(partitions[5]),
          Disk7: diskOf(partitions[6]),
          Disk8: diskOf(partitions[7]),
          Disk9: diskOf(partitions[8]),
          Disk10: diskOf(partitions[9]),
        },
      }
    })

export const getStatistics64 =
  (serving: Serving): RxafsProcedure<"GetStatistics64"> =>
  ({ statsVersion }, call) =>
    then(serving.hosts.callerOf(call), () => {
      const detail = `version ${statsVersion}, only ${statisticsVersion64} is known`
      if (statsVersion !== statisticsVersion64) throw new AfsError("EINVAL", "getStatistics64", {}, { detail })
      const facts = factsOf(serving)
      return {
        Statistics: [
          facts.CurrentTime,
          facts.BootTime,
          facts.StartTime,
          facts.CurrentConnections,
          facts.TotalFetchs,
          facts.FetchDatas,
          facts.FetchedBytes,
          facts.FetchDataRate,
          facts.TotalStores,
          facts.StoreDatas,
          facts.StoredBytes,
          facts.StoreDataRate,
          facts.TotalViceCalls,
          facts.WorkStations,
          facts.ActiveWorkStations,
          facts.ProcessSize,
        ],
      }
    })

const xstatsVersion = 2

export const xstatsVersionOf: RxafsProcedure<"XStatsVersion"> = () => ({ versionNumberP: xstatsVersion })

/** Words of the collections; of the second, times are memory of OpenAFS's server, and zeros here. */
const wordsOf = { performance: 98, full: 666 } as const
/** Where in the first two collections counters of ours lie. */
const at = { numPerfCalls: 0, hostEntries: 58, nonDeletedHosts: 60, clients: 64, getCaps: 69 } as const
/** Collections that nobody has. */
const noSuchCollection = 1

function performanceWords(serving: Serving, count: number): number[] {
  const words = Array<number>(count).fill(0)
  const { hosts } = serving.hosts.counts()
  words[at.numPerfCalls] = serving.counters.calls | 0
  words[at.hostEntries] = hosts
  words[at.nonDeletedHosts] = hosts
  words[at.clients] = hosts
  words[at.getCaps] = serving.counters.getCapabilities | 0
  return words
}

function callbackWords(serving: Serving): number[] {
  const counters = serving.callbackCounters()
  return [
    counters.deletedFiles,
    counters.deletedPromises,
    counters.breaks,
    counters.addedPromises,
    counters.gotSpaces,
    counters.deletedAll,
    counters.files,
    counters.promises,
    counters.slots,
    counters.timedOut,
    counters.breakers,
    counters.reclaimed,
    0,
    0,
    0,
    0,
  ].map((word) => word | 0)
}

const collections: Readonly<Record<number, (serving: Serving) => number[]>> = {
  0: () => [],
  1: (serving) => performanceWords(serving, wordsOf.performance),
  2: (serving) => performanceWords(serving, wordsOf.full),
  3: callbackWords,
}

export const getXStats =
  (serving: Serving): RxafsProcedure<"GetXStats"> =>
  ({ collectionNumber }) => {
    const words = collections[collectionNumber]
    if (words === undefined) throw new RpcError(noSuchCollection, "RXAFS_GetXStats")
    return { srvVersionNumberP: xstatsVersion, timeP: secondsOf(serving.clock.now()), dataP: words(serving) }
  }
