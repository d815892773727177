/**
 * A client of dafileserver's socket for the benchmarks: our own client in OpenAFS's form, whose refusals are errors. One
 * connection, one request at a time: dafileserver understands no more.
 */
import type { AttachMode, ProgramType } from "../common/protocol/codes.ts"
import { requireOk } from "../fssync/answer-meaning.ts"
import { FssyncClient } from "../fssync/fssync-client.ts"
import type { VolumeReport } from "../fssync/payload.ts"
import { impatientRule } from "../fssync/retry-rule.ts"

export class OpenafsFssync implements Disposable {
  readonly #client: FssyncClient

  private constructor(client: FssyncClient) {
    this.#client = client
  }

  static async open(path: string, programType: ProgramType = "debugUtility"): Promise<OpenafsFssync> {
    const client = new FssyncClient({ path, programType, rule: impatientRule, form: "openafs" })
    requireOk(await client.list(), "open")
    return new OpenafsFssync(client)
  }

  /** VOL_ON. @throws AfsError if it is refused */
  async volumeOn(id: number, partition: string): Promise<void> {
    requireOk(await this.#client.volumeOn(id, partition), "VOL_ON")
  }

  /** VOL_OFF. @throws AfsError if it is refused */
  async volumeOff(id: number, partition: string): Promise<void> {
    requireOk(await this.#client.volumeOff(id, partition), "VOL_OFF")
  }

  /** VOL_NEEDVOLUME in an attach mode. @throws AfsError if it is refused */
  async needVolume(id: number, partition: string, mode: AttachMode): Promise<void> {
    requireOk(await this.#client.needVolume(id, partition, mode), "VOL_NEEDVOLUME")
  }

  /** VOL_QUERY_VOP: the checkout is there. @throws AfsError if it is not */
  async queryVolumeOperation(id: number, partition: string): Promise<void> {
    requireOk(await this.#client.queryVolumeOperation(id, partition), "VOL_QUERY_VOP")
  }

  /** VOL_QUERY, with the whole answer taken apart. */
  async queryVolume(id: number, partition: string): Promise<VolumeReport | undefined> {
    return requireOk(await this.#client.queryVolume(id, partition), "VOL_QUERY").payload
  }

  [Symbol.dispose](): void {
    void this.#client.close() // what it had is given up with its connection
  }
}
