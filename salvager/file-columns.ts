/** What the scan learns of data files, in columns that grow: 21 bytes a file. */

/** The columns as they go from one thread to another: `count` files, and room for more. */
export interface ColumnParts {
  readonly count: number
  readonly buffer: ArrayBuffer
}

const bytesPerFile = 21
const startCount = 64

export class FileColumns {
  count = 0
  #room = 0
  #buffer = new ArrayBuffer(0)
  /** Bytes. */
  size = new Float64Array(0)
  vnode = new Uint32Array(0)
  unique = new Uint32Array(0)
  /** Data version the file was created with (owner data); 0 in a development partition. */
  version = new Uint32Array(0)
  tag = new Uint8Array(0)

  add(vnode: number, unique: number, tag: number, size: number, version: number): void {
    if (this.count === this.#room) this.reserve(Math.max(startCount, 2 * this.count))
    const at = this.count++
    this.vnode[at] = vnode
    this.unique[at] = unique
    this.tag[at] = tag
    this.size[at] = size
    this.version[at] = version
  }

  /** Adds all files of others. */
  addAll(others: FileColumns): void {
    const { count } = others
    this.reserve(this.count + count)
    this.size.set(others.size.subarray(0, count), this.count)
    this.vnode.set(others.vnode.subarray(0, count), this.count)
    this.unique.set(others.unique.subarray(0, count), this.count)
    this.version.set(others.version.subarray(0, count), this.count)
    this.tag.set(others.tag.subarray(0, count), this.count)
    this.count += count
  }

  /** Makes room for so many files in all. */
  reserve(count: number): void {
    if (count <= this.#room) return
    const old = FileColumns.of({ count: this.count, buffer: this.#buffer })
    this.#view(new ArrayBuffer(bytesPerFile * ((count + 7) & ~7)))
    this.count = 0
    this.addAll(old)
  }

  /** What to hand over; afterwards these columns are empty. */
  handOver(): ColumnParts {
    const parts = { count: this.count, buffer: this.#buffer }
    this.count = 0
    this.#view(new ArrayBuffer(0))
    return parts
  }

  static of({ count, buffer }: ColumnParts): FileColumns {
    const columns = new FileColumns()
    columns.#view(buffer)
    columns.count = count
    return columns
  }

  #view(buffer: ArrayBuffer): void {
    const room = buffer.byteLength / bytesPerFile
    this.#room = room
    this.#buffer = buffer
    this.size = new Float64Array(buffer, 0, room)
    this.vnode = new Uint32Array(buffer, 8 * room, room)
    this.unique = new Uint32Array(buffer, 12 * room, room)
    this.version = new Uint32Array(buffer, 16 * room, room)
    this.tag = new Uint8Array(buffer, 20 * room, room)
  }
}
