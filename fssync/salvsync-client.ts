/**
 * SALVSYNC's commands as functions: what the fileserver, a salvage worker and operators tell the salvage scheduler. Every
 * answer carries the volume's state there and the lengths of the queues, a refusal too.
 */
import { type ProgramType, programTypes } from "../common/protocol/codes.ts"
import { SyncClient, type SyncClientOptions, type SyncReply } from "./client.ts"
import { salvsyncProtocol, salvsyncRows } from "./command-table.ts"
import { salvsyncReasons } from "./message.ts"
import type { SalvageStatus } from "./payload.ts"

/** State and priority of a volume at the scheduler. */
export type SalvsyncReply = SyncReply<SalvageStatus>

export interface SalvsyncClientOptions extends Omit<SyncClientOptions, "protocol" | "sender"> {
  readonly programType: ProgramType
  /** Default: this process. */
  readonly pid?: number
  /** Default 0. */
  readonly thread?: number
}

export class SalvsyncClient implements AsyncDisposable {
  readonly #client: SyncClient

  constructor({ programType, pid = process.pid, thread = 0, ...options }: SalvsyncClientOptions) {
    const sender = { programType: programTypes[programType], pid, thread }
    this.#client = new SyncClient({ ...options, protocol: salvsyncProtocol, sender })
  }

  /** NOP: only the lengths of the queues. */
  nop(): Promise<SalvsyncReply> {
    return this.#client.call(salvsyncRows.NOP)
  }

  /** SALVAGE: queues a volume, or raises its priority if it is queued. DENIED: no such partition. */
  salvage(
    volume: number,
    partition: string,
    { priority = 0, reason = salvsyncReasons.WHATEVER }: { priority?: number; reason?: number } = {},
  ): Promise<SalvsyncReply> {
    return this.#client.call(salvsyncRows.SALVAGE, { volume, parent: volume, partition, vnode: priority, reason })
  }

  /** RAISEPRIO: the same as SALVAGE; `priority` is the new sum of wishes. */
  raisePriority(
    volume: number,
    partition: string,
    priority: number,
    reason: number = salvsyncReasons.WHATEVER,
  ): Promise<SalvsyncReply> {
    return this.#client.call(salvsyncRows.RAISEPRIO, { volume, parent: volume, partition, vnode: priority, reason })
  }

  /** CANCEL: takes a waiting volume off the queue; the answer tells its state before. A running salvage goes on. */
  cancel(volume: number, partition: string): Promise<SalvsyncReply> {
    return this.#client.call(salvsyncRows.CANCEL, { volume, parent: volume, partition })
  }

  /** CANCELALL: empties the queues. */
  cancelAll(): Promise<SalvsyncReply> {
    return this.#client.call(salvsyncRows.CANCELALL)
  }

  /** QUERY: state and priority; of the group's parent, if the volume is linked to one. */
  query(volume: number, partition: string): Promise<SalvsyncReply> {
    return this.#client.call(salvsyncRows.QUERY, { volume, parent: volume, partition })
  }

  /** LINK: a clone is salvaged with its group from now on. DENIED: the clone is unknown, or `parent` is itself a clone. */
  link(clone: number, parent: number, partition: string): Promise<SalvsyncReply> {
    return this.#client.call(salvsyncRows.LINK, { volume: clone, parent, partition })
  }

  close(): Promise<void> {
    return this.#client.close()
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }
}
