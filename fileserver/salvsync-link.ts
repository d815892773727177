/**
 * The salvage server as the fileserver reaches it: over SALVSYNC, without patience, since the volume package asks again by
 * itself. Client and connection are made when the first salvage is wanted; most servers never need them.
 */
import type { SalvageJob, SalvageLink } from "../common/volume/salvage-schedule.ts"
import { responses } from "../fssync/message.ts"
import { impatientRule } from "../fssync/retry-rule.ts"
import type { SalvsyncClient } from "../fssync/salvsync-client.ts"
import { salvageReasonNumber } from "./fssync-report.ts"

/** A salvage server that says nothing for so long counts as absent: the volume's state waits for its answer. */
const timeoutMs = 5_000

export class SalvsyncLink implements SalvageLink, AsyncDisposable {
  readonly #path: string
  #client: Promise<SalvsyncClient> | undefined

  constructor(stateDirectory: string) {
    this.#path = `${stateDirectory}/salvsync.sock`
  }

  /** True if the salvage server took the job. @throws AfsError UNREACHABLE if none answers */
  async request({ command, volume, partition, reason, priority }: SalvageJob): Promise<boolean> {
    this.#client ??= this.#open()
    const client = await this.#client
    const number = salvageReasonNumber(reason)
    const answer =
      command === "SALVAGE"
        ? await client.salvage(volume, partition, { priority, reason: number })
        : await client.raisePriority(volume, partition, priority, number)
    return answer.response === responses.OK
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await (await this.#client)?.close()
  }

  async #open(): Promise<SalvsyncClient> {
    const { SalvsyncClient } = await import("../fssync/salvsync-client.ts")
    return new SalvsyncClient({ path: this.#path, programType: "none", rule: impatientRule, timeoutMs })
  }
}
