/** What a starter of packed code is told when it is made. */
import type { Stamp } from "./build-stamp.ts"

/** What V8 compiled during a typical run. */
interface CodeCache {
  readonly file: string
  readonly crc32: number
}

/** Code of a program, or of one command of it. */
export interface PackedCode {
  /** The file, beside the starter; its name has a hash of what is in it, so it never changes. */
  readonly file: string
  /** By the kind of run (run-kinds.ts); "" for all others. */
  readonly caches: Readonly<Record<string, CodeCache>>
}

export interface Manifest {
  /** The program's module, relative to the starter, for when the code cannot be used. */
  readonly module: string
  /** All have to be as they were when the code was packed. */
  readonly build: readonly Stamp[]
  /** By beginnings of command lines (run-kinds.ts); "" for all others. */
  readonly parts: Readonly<Record<string, PackedCode>>
}
