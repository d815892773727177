/** `fileserver.pid` in the state directory: the process id of the running server, one line; gone after a clean end. */
import { type Disk, isDiskError } from "../common/disk/disk.ts"

export const pidFileName = "fileserver.pid"

export class PidFile implements Disposable {
  readonly #path: string
  readonly #disk: Disk

  private constructor(path: string, disk: Disk) {
    this.#path = path
    this.#disk = disk
  }

  /** Writes this process's id, in place of what a server that was killed left behind. */
  static write(stateDirectory: string, disk: Disk): PidFile {
    const written = new PidFile(`${stateDirectory}/${pidFileName}`, disk)
    written.#remove()
    using file = disk.open(written.#path, "create", 0o644)
    file.write(Buffer.from(`${process.pid}\n`), 0)
    return written
  }

  [Symbol.dispose](): void {
    this.#remove()
  }

  #remove(): void {
    try {
      this.#disk.unlink(this.#path)
    } catch (error) {
      if (!isDiskError(error, "ENOENT")) throw error
    }
  }
}
