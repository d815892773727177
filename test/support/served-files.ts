/** A volume with files, served by a fileserver of ours on any free port. */
import { join } from "node:path"
import type { ExecutionContext } from "ava"
import { Fileserver, type FileserverOptions } from "../../client/fileserver.ts"
import { parseHost } from "../../common/rx/datagram-port.ts"
import type { DumpOptions, Tree } from "./dump-builder.ts"
import { startFileserver } from "./fileserver-process.ts"
import { temporaryDirectory } from "./temporary-directory.ts"
import { newPartition, volumeOf } from "./volume-builder.ts"

export interface ServedFiles {
  readonly volume: number
  readonly port: number
  /** A client of its own, closed when the test ends. */
  client(options?: FileserverOptions): Promise<Fileserver>
}

/** Everybody may do everything in the volume, unless `options` say otherwise. */
export async function serveFiles(
  t: Pick<ExecutionContext, "teardown">,
  tree: Tree = {},
  options: DumpOptions = {},
): Promise<ServedFiles> {
  const partition = newPartition(join(temporaryDirectory(t), "vicepa"))
  const volume = await volumeOf(partition, "home", tree, options)
  const { process } = await startFileserver(t, [partition])
  const port = Number(/"port":(\d+)/.exec(process.stderr())?.[1])
  return {
    volume,
    port,
    async client(clientOptions = {}) {
      const client = await Fileserver.open({ host: parseHost("127.0.0.1") ?? 0, port }, clientOptions)
      t.teardown(() => client.close())
      return client
    },
  }
}
