/** What a fileserver counts of its calls since the start, for GetStatistics and GetXStats. OpenAFS viced/fs_stats.h. */
export interface ServingCounters {
  /** Seconds since 1970. */
  readonly startTime: number
  calls: number
  /** Calls that fetch: data, status, access list. */
  fetches: number
  fetchDatas: number
  fetchedBytes: number
  /** Milliseconds in which bytes were fetched. */
  fetchMs: number
  stores: number
  storeDatas: number
  storedBytes: number
  storeMs: number
  getCapabilities: number
}

export function newServingCounters(startTime: number): ServingCounters {
  return {
    startTime,
    calls: 0,
    fetches: 0,
    fetchDatas: 0,
    fetchedBytes: 0,
    fetchMs: 0,
    stores: 0,
    storeDatas: 0,
    storedBytes: 0,
    storeMs: 0,
    getCapabilities: 0,
  }
}

/** Bytes per second, as statistics show them. */
export function rateOf(bytes: number, ms: number): number {
  return Math.min(2 ** 31 - 1, Math.floor(bytes / (Math.floor(ms / 1000) + 1)))
}
