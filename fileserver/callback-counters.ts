/** What collection 3 of RXAFS_GetXStats counts. OpenAFS viced/callback.h (struct cbcounters). */
export interface CallbackCounters {
  deletedFiles: number
  deletedPromises: number
  breaks: number
  addedPromises: number
  /** The table was full and something had to go. */
  gotSpaces: number
  deletedAll: number
  /** Objects with promises. */
  files: number
  promises: number
  /** Room for so many promises. */
  slots: number
  timedOut: number
  /** Hosts that are being told at this moment. */
  breakers: number
  /** The table was full, and a host lost promises that were not over. */
  reclaimed: number
}

export function noCounters(slots: number): CallbackCounters {
  return {
    deletedFiles: 0,
    deletedPromises: 0,
    breaks: 0,
    addedPromises: 0,
    gotSpaces: 0,
    deletedAll: 0,
    files: 0,
    promises: 0,
    slots,
    timedOut: 0,
    breakers: 0,
    reclaimed: 0,
  }
}
