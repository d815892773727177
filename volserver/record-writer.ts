/** Writes vnode records into an index file, neighbours in one call: dumps bring them in ascending order. */
import type { DiskFile } from "../common/disk/disk.ts"
import { recordOffset, type VnodeClass, vnodeClasses } from "../common/vnode/vnode-record.ts"

const bufferRecords = 1024

export class RecordWriter {
  readonly #file: DiskFile
  readonly #buffer: Uint8Array
  /** Offset in the file of the buffer's first byte. */
  #start = 0
  #length = 0

  constructor(file: DiskFile, cls: VnodeClass) {
    this.#file = file
    this.#buffer = new Uint8Array(bufferRecords * vnodeClasses[cls].recordSize)
  }

  /** Puts a whole record. @throws DiskError */
  put(vnode: number, record: Uint8Array): void {
    const offset = recordOffset(vnode)
    const continues = offset === this.#start + this.#length && this.#length + record.length <= this.#buffer.length
    if (!continues) {
      this.flush()
      this.#start = offset
    }
    this.#buffer.set(record, this.#length)
    this.#length += record.length
  }

  /** @throws DiskError */
  flush(): void {
    if (this.#length > 0) this.#file.write(this.#buffer.subarray(0, this.#length), this.#start)
    this.#length = 0
  }
}
