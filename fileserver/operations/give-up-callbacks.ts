/** GiveUpCallBacks (147), GiveUpAllCallBacks (65539): a client does not want to be told any more. */
import { AfsError } from "../../common/error.ts"
import { then } from "../eventually.ts"
import type { RxafsProcedure, Serving } from "../serving.ts"

export const giveUpCallBacks =
  (serving: Serving): RxafsProcedure<"GiveUpCallBacks"> =>
  ({ Fids_Array, CallBacks_Array }, call) =>
    then(serving.hosts.callerOf(call), ({ host }) => {
      const detail = `${Fids_Array.length} fids, ${CallBacks_Array.length} callbacks`
      if (Fids_Array.length < CallBacks_Array.length) throw new AfsError("EINVAL", "giveUpCallBacks", {}, { detail })
      serving.callbacks.giveUp(host, Fids_Array)
    })

export const giveUpAllCallBacks =
  (serving: Serving): RxafsProcedure<"GiveUpAllCallBacks"> =>
  (_ask, call) =>
    then(serving.hosts.callerOf(call), ({ host }) => serving.callbacks.giveUpAll(host))
