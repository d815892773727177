/** Lines that a program says many of in a short time, written together: a call to the kernel for each took longer than the work. */
import type { TextSink } from "./output.ts"

export interface GatheredText extends TextSink {
  /** Writes what is held back. */
  flush(): void
}

/** Nobody waits longer than this for a line, unless the program is too busy to look: then until the next one. */
const patienceMs = 50
/** Held back at most, in characters. */
const heldMax = 1 << 15

/**
 * Passes text on at once where there was none for a while, and gathers it where it comes fast. What is left at the end of the
 * process is written then.
 */
export function gatherText(out: TextSink): GatheredText {
  let held = ""
  let written = Number.NEGATIVE_INFINITY
  let timer: NodeJS.Timeout | undefined
  const flush = (): void => {
    clearTimeout(timer)
    timer = undefined
    process.off("exit", flush)
    if (held === "") return
    const text = held
    held = ""
    written = performance.now()
    out.write(text)
  }
  return {
    flush,
    write(text) {
      held += text
      if (held.length > heldMax || performance.now() - written > patienceMs) flush()
      else if (timer === undefined) {
        timer = setTimeout(flush, patienceMs).unref()
        process.on("exit", flush)
      }
    },
  }
}
