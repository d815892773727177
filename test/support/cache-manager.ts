/** A cache manager that does as a test says: the calls that it hears from its fileserver, in words, and how it answers them. */
import type { AFSFid } from "../../common/protocol/afs-types.ts"
import { RXAFSCB } from "../../common/protocol/afscbint.ts"
import { RpcError, stubCodes } from "../../common/rpc/rpc-call.ts"
import { rpcService, type Service } from "../../common/rpc/service.ts"

export interface CacheManagerScript {
  /** Undefined: it knows neither TellMeAboutYourself nor WhoAreYou. */
  uuid: string | undefined
  /** `WhoAreYou` is an older client, which knows UUIDs and nothing of capabilities. */
  knows: "TellMeAboutYourself" | "WhoAreYou"
  capabilities: readonly number[]
  /** Addresses that it says it has. */
  addresses: readonly number[]
  /** The code that a call is refused with, for calls of which it gives one. */
  refuse: (call: string) => number | undefined
}

/** `1.2.3` */
export const fidText = ({ Volume, Vnode, Unique }: AFSFid): string => `${Volume}.${Vnode}.${Unique}`
export const fid = (Volume: number, Vnode: number, Unique: number): AFSFid => ({ Volume, Vnode, Unique })

const wordsFilled = (values: readonly number[]): number[] =>
  Array.from({ length: 32 }, (_, index) => values[index] ?? 0)

export class CacheManager {
  readonly script: CacheManagerScript
  /** `TellMeAboutYourself`, `CallBack 1.2.3`, `CallBack 1.2.3 dropped`, `InitCallBackState3 <server>`, `ProbeUuid`. */
  readonly heard: string[] = []
  /** Called for each call heard, before it is answered. */
  onHeard: ((call: string) => void) | undefined
  readonly service: Service

  constructor(script: Partial<CacheManagerScript>) {
    this.script = {
      uuid: undefined,
      knows: "TellMeAboutYourself",
      capabilities: [1],
      addresses: [],
      refuse: () => undefined,
      ...script,
    }
    const { log } = { log: { error: (facts: object) => this.heard.push(`error ${JSON.stringify(facts)}`) } }
    this.service = rpcService(
      RXAFSCB,
      {
        TellMeAboutYourself: () => {
          this.#hear("TellMeAboutYourself")
          if (this.script.knows !== "TellMeAboutYourself") throw unknown()
          return { addr: this.#self(), capabilities: [...this.script.capabilities] }
        },
        WhoAreYou: () => {
          this.#hear("WhoAreYou")
          return { addr: this.#self() }
        },
        InitCallBackState: () => this.#hear("InitCallBackState"),
        InitCallBackState3: ({ serverUuid }) => this.#hear(`InitCallBackState3 ${serverUuid}`),
        Probe: () => this.#hear("Probe"),
        ProbeUuid: ({ clientUuid }) => {
          this.#hear("ProbeUuid")
          if (clientUuid !== this.script.uuid) throw new RpcError(1, "ProbeUuid")
        },
        CallBack: ({ Fids_Array, CallBacks_Array }) => {
          const types = CallBacks_Array.map(({ CallBackType }) => (CallBackType === 3 ? " dropped" : " odd"))
          const isPaired = types.length === 0 || types.length === Fids_Array.length
          const words = Fids_Array.map((one, index) => `${fidText(one)}${types[index] ?? ""}`)
          this.#hear(`CallBack ${words.join(" ")}${isPaired ? "" : " unpaired"}`)
        },
      },
      { log },
    )
  }

  /** What was heard since the last time it was asked. */
  news(): string[] {
    return this.heard.splice(0)
  }

  #hear(call: string): void {
    this.heard.push(call)
    this.onHeard?.(call)
    const code = this.script.refuse(call.split(" ")[0] ?? call)
    if (code !== undefined) throw new RpcError(code, call)
  }

  #self() {
    const { uuid, addresses } = this.script
    if (uuid === undefined) throw unknown()
    return {
      numberOfInterfaces: addresses.length,
      uuid,
      addr_in: wordsFilled(addresses),
      subnetmask: wordsFilled(addresses.map(() => 0xffff_ff00)),
      mtu: wordsFilled(addresses.map(() => 1500)),
    }
  }
}

const unknown = (): RpcError => new RpcError(stubCodes.unknownOpcode, "unknown")
