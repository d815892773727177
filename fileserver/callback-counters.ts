/** What collection 3 of RXAFS_GetXStats counts, in its order. OpenAFS viced/callback.h (struct cbcounters). */
export interface CallbackCounters {
  deletedFiles: number
  deletedPromises: number
  breaks: number
  addedPromises: number
  /** The table was full and something had to go. */
  gotSpaces: number
  deletedAll: number
  files: number
  promises: number
  /** Room for so many promises. */
  slots: number
  timedOut: number
  /** Hosts that are being told at this moment. */
  breakers: number
  /** Space was had: from the host that called last long ago. */
  reclaimed: number
}
