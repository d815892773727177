/** Servers of ours in the place of OpenAFS's, in a cell that has both. */
import type { Cell } from "./cell.ts"
import { builtProgram } from "./project.ts"

const dafs = builtProgram("cli/dafs.ts")

/** Runs `dafs WORDS` in place of one of OpenAFS's servers while `work` lasts. `socket`: the name of the one it listens on. */
export async function inPlaceOf<T>(
  there: Cell,
  server: "fs" | "sal",
  words: readonly string[],
  socket: string,
  work: () => Promise<T>,
): Promise<T> {
  await there.stop(server)
  await there.exec("rm", "-f", `/var/lib/openafs/local/${socket}`)
  await there.run("ours", process.execPath, dafs, ...words)
  await there.exec("bash", "-c", `until [ -S /var/lib/openafs/local/${socket} ]; do sleep 0.05; done`)
  try {
    return await work()
  } finally {
    await there.stop("ours")
    await there.start(server)
  }
}
