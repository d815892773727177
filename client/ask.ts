/** Calls whose failures are explained to people. */
import type { AFSFid } from "../common/protocol/afs-types.ts"
import { fidText } from "./fid.ts"
import { explained } from "./server-error.ts"

/**
 * Waits for a call about an object; `name` is what the caller knows it by.
 * @throws AfsError with the server's code, or RpcError for a number that has no name
 */
export async function ask<T>(operation: string, fid: AFSFid, call: Promise<T>, name?: Uint8Array): Promise<T> {
  try {
    return await call
  } catch (error) {
    const path = name === undefined ? fidText(fid) : `${fidText(fid)}:${Buffer.from(name).toString()}`
    throw explained(error, operation, { volume: fid.Volume, vnode: fid.Vnode, path })
  }
}
