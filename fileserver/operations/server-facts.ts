/**
 * What a server says of itself: GetTime (153), GetCapabilities (65540), FlushCPS (162), and what it does not have
 * (148, 151, 152, 154, 161, 163, 220, 65541). OpenAFS viced/afsfileprocs.c.
 */
import { AfsError } from "../../common/error.ts"
import { serverCapabilities } from "../../common/protocol/afsint.ts"
import { codes } from "../../common/protocol/codes.ts"
import { RpcError } from "../../common/rpc/rpc-call.ts"
import { judgeSuperuser } from "../access.ts"
import { then } from "../eventually.ts"
import type { RxafsProcedure, Serving } from "../serving.ts"

export const getTime =
  (serving: Serving): RxafsProcedure<"GetTime"> =>
  (_ask, call) =>
    then(serving.hosts.callerOf(call), () => {
      const now = serving.clock.now()
      return { Seconds: Math.floor(now / 1000), USeconds: Math.floor((now % 1000) * 1000) }
    })

const capabilities = serverCapabilities.errorTranslation | serverCapabilities.files64 | serverCapabilities.writeLockAcl

export const getCapabilities =
  (serving: Serving): RxafsProcedure<"GetCapabilities"> =>
  (_ask, call) => {
    serving.counters.getCapabilities++
    return then(serving.hosts.callerOf(call), () => ({ capabilities: [capabilities] }))
  }

/** Groups of users and hosts have changed: they are asked for again. */
export const flushCps =
  (serving: Serving): RxafsProcedure<"FlushCPS"> =>
  ({ IdsArray, AddrsArray }, call) =>
    then(serving.hosts.callerOf(call), ({ user }) => {
      const refusal = judgeSuperuser(user)
      if (refusal !== undefined) throw new AfsError(refusal, "flushCps")
      serving.protection.forget(IdsArray, AddrsArray)
      return { spare2: 0, spare3: 0 }
    })

/** The address that a client is called back at follows from its calls alone. */
export const callBackRxConnAddr =
  (serving: Serving): RxafsProcedure<"CallBackRxConnAddr"> =>
  (_ask, call) =>
    then(serving.hosts.callerOf(call), () => {
      throw new AfsError("EPERM", "callBackRxConnAddr")
    })

/** Locations are the vlserver's: clients of this century ask there. */
export const getVolumeInfo = (): never => {
  throw new AfsError("VNOVOL", "getVolumeInfo")
}

/** ECONNREFUSED of another system, as OpenAFS's fileservers send it. */
const noTokensHere = 130
const noRootVolume = 122

export const checkToken = (): never => {
  throw new RpcError(noTokensHere, "RXAFS_CheckToken")
}

/** There is no file that names one. */
export const getRootVolume = (): never => {
  throw new RpcError(noRootVolume, "RXAFS_GetRootVolume")
}

/** Lookup, DFSSymlink, FsCmd: of other systems' servers. */
export const refused = (): never => {
  throw new RpcError(codes.EINVAL.number, "RXAFS")
}
