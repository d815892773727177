/** Files that are whole when they are seen, after a power failure too. */
import { closeSync, fsyncSync, openSync, renameSync, writeFileSync } from "node:fs"

/** Makes or replaces a file that only its owner may write to. */
export function writeDurably(path: string, content: string | Uint8Array, mode: 0o644 | 0o755 = 0o644): void {
  const draft = `${path}.new-${process.pid}`
  const descriptor = openSync(draft, "w", mode)
  try {
    writeFileSync(descriptor, content)
    fsyncSync(descriptor)
  } finally {
    closeSync(descriptor)
  }
  renameSync(draft, path)
}

/** Returns when what is in the file is on the platter. */
export function syncFile(path: string): void {
  const descriptor = openSync(path, "r")
  try {
    fsyncSync(descriptor)
  } finally {
    closeSync(descriptor)
  }
}
