/** What a starter of packed code is told when it is made. */

/** A file by which a build is known: any compilation writes it anew. */
export interface Stamp {
  /** Relative to the starter. */
  readonly path: string
  readonly size?: number
  /** Modification time, milliseconds. */
  readonly modified?: number
}

/** What V8 compiled during a typical run. */
export interface CodeCache {
  readonly file: string
  readonly crc32: number
}

export interface Manifest {
  /** File of the code, beside the starter; its name has a hash of what is in it, so it never changes. */
  readonly code: string
  /** The program's module, relative to the starter, for when the code cannot be used. */
  readonly module: string
  /** All have to be as they were when the code was packed. */
  readonly build: readonly Stamp[]
  /** By the kind of run (run-kinds.ts); "" for all others. */
  readonly caches: Readonly<Record<string, CodeCache>>
}
