/** Security index 0: nothing is added, checked or asked. */
import { RxError, rxCodes } from "../codes.ts"
import type { Security } from "./security.ts"

const unasked = (): never => {
  throw new RxError(rxCodes.protocolError, "protocol error", "security index 0 has no challenge")
}

/** Without state, so that all connections share one. */
export const nullSecurity: Security = {
  index: 0,
  debugType: 1,
  headerSize: 0,
  trailerSize: 0,
  isTransparent: true,
  isAuthenticated: true,
  challenge: unasked,
  verify: unasked,
  respond: unasked,
  seal: () => undefined,
  open: () => undefined,
}
