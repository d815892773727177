/** A reader that leaves (`dafs … | head`, a server that was killed) must not end work that is half done. */

/** What cannot be written for another reason, a full disk, is a failure, told once the work is done. */
const dropBroken = (error: NodeJS.ErrnoException): void => {
  if (error.code === "EPIPE" || process.exitCode !== undefined) return
  process.exitCode = 1
  process.stderr.write(`dafs: output: ${error.message}\n`)
}

/** From now on what nobody reads any more is dropped, instead of ending the process. */
export function outliveReaders(): void {
  for (const stream of [process.stdout, process.stderr])
    if (!stream.listeners("error").includes(dropBroken)) stream.on("error", dropBroken)
}
