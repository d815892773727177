/** A reader that leaves (`dafs … | head`, a server that was killed) must not end work that is half done. */

const dropBroken = (error: NodeJS.ErrnoException): void => {
  if (error.code !== "EPIPE") throw error
}

/** From now on what nobody reads any more is dropped, instead of ending the process. */
export function outliveReaders(): void {
  for (const stream of [process.stdout, process.stderr])
    if (!stream.listeners("error").includes(dropBroken)) stream.on("error", dropBroken)
}
