/** An Rx server in a network in memory, and the peer that sends it hand-made packets. */
import type { Call } from "../../common/rx/call.ts"
import type { Endpoint, EndpointOptions, Service } from "../../common/rx/endpoint.ts"
import { answering, RxNetwork, serverAddress, serviceId } from "./rx-network.ts"
import { RawPeer } from "./rx-raw.ts"

/** Gives requests back; those of four bytes, and the word "fail", are aborted with -455. */
export const echo = answering((request) => (request.toString() === "fail" || request.length === 4 ? -455 : request))

export interface RawRig {
  readonly network: RxNetwork
  readonly endpoint: Endpoint
  readonly raw: RawPeer
}

export function server(services: readonly Service[] = [echo], options: Partial<EndpointOptions> = {}): RawRig {
  const network = new RxNetwork()
  const endpoint = network.endpoint(serverAddress, { services, ...options })
  return { network, endpoint, raw: new RawPeer(network) }
}

/** A service whose calls stay as they are until the test does something with them. */
export function idle(): { service: Service; calls: Call[] } {
  const calls: Call[] = []
  return { service: { id: serviceId, onCall: (call) => calls.push(call) }, calls }
}
