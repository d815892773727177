/**
 * Loads modules of ours when a command needs them: by `require`, which reads a module and all that it needs one after the
 * other, at once. `import()` does so through other threads, file by file, and takes twice as long: most of the start of a
 * command. Not every Node.js can require what we are made of, and some warn of it; they import then.
 */
import { createRequire } from "node:module"

/** Loads the module at `path`, as compiled (`./create.js`), relative to the loader's own. @throws what loading it throws */
export type Load = <T>(path: string) => Promise<T>

/** Whether a Node.js that can require our modules does so without a warning on standard error. */
export const requiresQuietly = (version: string): boolean => !/^(?:22\.12|23\.[0-4])\./.test(version)

const canRequire = process.features.require_module && requiresQuietly(process.versions.node)

/** A loader for the module of this address (`import.meta.url`). `T` is what the loaded module exports. */
export function loaderOf(url: string): Load {
  const requireNow = createRequire(url)
  return async <T>(path: string): Promise<T> => {
    const loaded: unknown = canRequire ? requireNow(path) : await import(new URL(path, url).href)
    return loaded as T // as the caller names it beside the path
  }
}
