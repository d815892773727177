/** Streams of bytes that are read or written in order, at once: dump files, standard input and output, pipes. */

/** Bytes to read. */
export interface ByteSource extends Disposable {
  readonly path: string
  /** Bytes in all, if it is a regular file. */
  readonly size: number | undefined
  /** Puts the next bytes into the front of `into`; 0 only at the end. @throws DiskError */
  read(into: Uint8Array): number
  close(): void
}

/** Bytes to write. */
export interface ByteSink extends Disposable {
  readonly path: string
  /** Writes all bytes. @throws DiskError */
  write(bytes: Uint8Array): void
  /** What was written is complete; a regular file takes its name now. @throws DiskError */
  finish(): void
  /** Ends; without `finish` a regular file that was begun is removed. */
  close(): void
}
