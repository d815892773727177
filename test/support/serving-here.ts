/** The operations of a fileserver in this process, over calls joined in memory: a volume on disk, and hosts that are known. */
import { join } from "node:path"
import type { ExecutionContext } from "ava"
import type { AFSFid } from "../../common/protocol/afs-types.ts"
import { RXAFS } from "../../common/protocol/afsint.ts"
import { rpcClient, type Stubs } from "../../common/rpc/client.ts"
import type { Service } from "../../common/rpc/service.ts"
import { VolumePackage } from "../../common/volume/volume-package.ts"
import { noCounters } from "../../fileserver/callback-counters.ts"
import { Host } from "../../fileserver/host.ts"
import { networksOf } from "../../fileserver/own-networks.ts"
import type { UserIdentity } from "../../fileserver/protection.ts"
import { fileService } from "../../fileserver/service.ts"
import type { Serving } from "../../fileserver/serving.ts"
import { newServingCounters } from "../../fileserver/serving-counters.ts"
import { wellKnownProtection } from "../../fileserver/well-known-protection.ts"
import type { Tree } from "./dump-builder.ts"
import { connectionTo, type MemoryServer } from "./memory-call.ts"
import { type KeptLog, keptLog } from "./served-volumes.ts"
import { temporaryDirectory } from "./temporary-directory.ts"
import { newPartition, volumeOf } from "./volume-builder.ts"

export interface ServingHere {
  readonly fs: Stubs<(typeof RXAFS)["operations"]>
  readonly service: Service
  readonly server: MemoryServer
  readonly serving: Serving
  readonly volumes: VolumePackage
  readonly volume: number
  readonly root: AFSFid
  readonly log: KeptLog
  /** Fids that others were told of, as text. */
  readonly told: string[]
  /** What a break waits for; undefined: nobody is to be told. */
  breaking: Promise<void> | undefined
  fidOf(path: string): Promise<AFSFid>
}

const administrator: UserIdentity = { id: 1000, cps: [-204, -101, 1000], isAdministrator: true, isSuperuser: false }

/** Everybody who calls is one administrator at one host that knows OpenAFS's table of errors. */
export async function servingHere(t: Pick<ExecutionContext, "teardown">, tree: Tree = {}): Promise<ServingHere> {
  const partition = newPartition(join(temporaryDirectory(t), "vicepa"))
  const volume = await volumeOf(partition, "here", tree)
  const log = keptLog()
  const volumes = new VolumePackage([partition], { log, lru: false, callbacks: { breakVolume: () => undefined } })
  t.teardown(() => volumes.close())
  const host = new Host(1, "here", { host: 0x7f00_0001, port: 7001 }, 0)
  host.translatesErrors = true
  const caller = { host, user: administrator }
  const here = { told: [] as string[], breaking: undefined as Promise<void> | undefined }
  const serving: Serving = {
    changesBy: "everybody",
    volumes,
    hosts: { callerOf: () => caller, knownCaller: () => caller, counts: () => ({ hosts: 1, active: 1 }) },
    callbacks: {
      promise: () => ({ CallBackVersion: 1, ExpirationTime: 14_400, CallBackType: 2 }),
      break(fid) {
        here.told.push(`${fid.Vnode}.${fid.Unique}`)
        return here.breaking
      },
      forget: () => undefined,
      giveUp: () => undefined,
      giveUpAll: () => undefined,
    },
    callbackCounters: () => noCounters(0),
    connections: () => 1,
    networks: networksOf([0x7f00_0001]),
    protection: wellKnownProtection({ has: () => false }),
    counters: newServingCounters(0),
    clock: volumes.context.clock,
    log,
  }
  const service = fileService(serving)
  const server = connectionTo(service)
  const fs = rpcClient(RXAFS, server)
  const root = { Volume: volume, Vnode: 1, Unique: 1 }
  return Object.assign(here, {
    fs,
    service,
    server,
    serving,
    volumes,
    volume,
    root,
    log,
    async fidOf(path: string): Promise<AFSFid> {
      using use = await volumes.acquire(volume)
      let vnode = use.attached.vnode(1, 1)
      for (const name of path.split("/")) {
        const found = use.attached.lookup(vnode, Buffer.from(name))
        if (found === undefined) throw new Error(`no ${name} of ${path}`)
        vnode = use.attached.vnode(found.vnode, found.unique)
      }
      return { Volume: volume, Vnode: vnode.number, Unique: vnode.unique }
    },
  })
}
