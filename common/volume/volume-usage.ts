/**
 * What an attached volume's VolumeInfo counts: space and quota, accesses, dates. In core, and on disk when OpenAFS writes it
 * (vol/volume.c, VAdjustDiskUsage, VBumpVolumeUsage): with the next write of VolumeInfo, and after many accesses.
 */
import { AfsError } from "../error.ts"
import type { Attachment } from "./attachment.ts"
import type { VolumeInfo } from "./volume-info.ts"

/** KiB that a store may go beyond a quota (KiB), so that a client can always write back what it has. */
export type StoreSlack = (quota: number) => number

/** OpenAFS's, where no other is wanted. */
export const usualSlack: StoreSlack = () => 1024
/** VolumeInfo is written after so many accesses, if the last write of that kind is so many seconds ago. */
const accessesPerWrite = 128
const secondsPerWrite = 5
const daySeconds = 86_400
const counterMax = 0xffff_ffff

/** How much a volume uses, in KiB; `max` 0 = no limit. */
export interface VolumeSpace {
  readonly used: number
  readonly max: number
  readonly min: number
}

export class VolumeUsage {
  readonly #attachment: Attachment
  readonly #slack: StoreSlack
  #accesses = 0
  #writtenAt = 0

  constructor(attachment: Attachment, slack: StoreSlack = usualSlack) {
    this.#attachment = attachment
    this.#slack = slack
  }

  get space(): VolumeSpace {
    const { used } = this
    return { used, max: this.#attachment.word("maxquota") | 0, min: this.#attachment.word("minquota") | 0 }
  }

  get used(): number {
    return this.#attachment.word("diskused") | 0
  }

  /** @throws AfsError VOVERQUOTA if so many more blocks are more than the quota allows; `kind` "store" has some slack */
  require(blocks: number, kind: "store" | "create", volume: number): void {
    const { used, max } = this.space
    const slack = kind === "store" ? this.#slack(max) : 0
    if (blocks <= 0 || max === 0 || used + blocks - slack <= max) return
    throw new AfsError(
      "VOVERQUOTA",
      kind,
      { volume },
      { detail: `${used} of ${max} KiB are used, ${blocks} more are needed` },
    )
  }

  /** So many blocks, and vnodes, more or less. */
  adjust(blocks: number, vnodes: number): void {
    if (blocks !== 0) this.#attachment.setWord("diskused", Math.max(0, this.used + blocks))
    if (vnodes !== 0)
      this.#attachment.setWord("filecount", Math.max(0, (this.#attachment.word("filecount") | 0) + vnodes))
  }

  /** So many vnodes were changed. */
  changed(vnodes: number, now: number): void {
    const counter = Math.min(counterMax, this.#attachment.word("volUpdateCounter") + vnodes)
    this.#attachment.setWord("volUpdateCounter", counter)
    this.#attachment.setWord("updateDate", now)
  }

  /** So many looks at vnodes for a client. True if it is time to write VolumeInfo. */
  accessed(now: number, times: number): boolean {
    const attachment = this.#attachment
    if (now - attachment.word("dayUseDate") > daySeconds) this.#newDay(now)
    attachment.setWord("accessDate", now)
    attachment.setWord("dayUse", attachment.word("dayUse") + times)
    this.#accesses += times
    if (this.#accesses < accessesPerWrite || now - this.#writtenAt < secondsPerWrite) return false
    this.#accesses = 0
    this.#writtenAt = now
    return true
  }

  /** Days that nobody used the volume count 0. */
  #newDay(now: number): void {
    this.#attachment.edit((info) => {
      const days = Math.floor((now - info.dayUseDate) / daySeconds)
      if (info.dayUseDate !== 0 && days > 0) info.weekUse = [...usesOfDays(info, days)].slice(0, info.weekUse.length)
      info.dayUseDate = midnightBefore(now)
      info.dayUse = 0
    })
  }
}

function usesOfDays(info: VolumeInfo, days: number): number[] {
  const idle = Array.from({ length: Math.min(days - 1, info.weekUse.length) }, () => 0)
  return [...idle, info.dayUse, ...info.weekUse]
}

/** Local time, as OpenAFS has it. */
function midnightBefore(now: number): number {
  const date = new Date(now * 1000)
  return Math.floor(new Date(date.getFullYear(), date.getMonth(), date.getDate()).getTime() / 1000)
}
