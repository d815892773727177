/**
 * Loads modules of ours when a command needs them: by `require`, which reads a module and all that it needs one after the
 * other, at once. `import()` does so through other threads, file by file, and takes twice as long: most of the start of a
 * command. Not every Node.js can require what we are made of; it imports then.
 */
import { createRequire } from "node:module"

/** Loads the module at `path`, as compiled (`./create.js`), relative to the loader's own. @throws what loading it throws */
export type Load = <T>(path: string) => Promise<T>

/** A loader for the module of this address (`import.meta.url`). `T` is what the loaded module exports. */
export function loaderOf(url: string): Load {
  const requireNow = createRequire(url)
  return async <T>(path: string): Promise<T> => {
    const loaded: unknown = process.features.require_module ? requireNow(path) : await import(new URL(path, url).href)
    return loaded as T // as the caller names it beside the path
  }
}
