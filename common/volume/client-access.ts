/**
 * What a client gets that wants to use a volume, by the volume's state. Pure. OpenAFS vol/volume.c (GetVolume).
 */
import type { Millis } from "../clock.ts"
import type { Code } from "../protocol/codes.ts"
import type { VolumeState } from "./volume-state.ts"

/** Why an offline volume is refused, where it is more than being offline. */
export type SpecialStatus = "VBUSY" | "VMOVED"

/** What the decision looks at. */
export interface AccessView {
  readonly state: VolumeState
  readonly specialStatus: SpecialStatus | undefined
  /** When a salvage was asked for that has not ended; undefined if none was. */
  readonly salvageWantedAt: Millis | undefined
  /** Attaching is not tried again before this time: somebody held the volume's lock. */
  readonly holdOffUntil: Millis
  /** From the attached volume's VolumeInfo. */
  readonly flags: { readonly inUse: boolean; readonly inService: boolean; readonly blessed: boolean } | undefined
}

export type AccessStep =
  | { readonly step: "serve" }
  /** Attach, then decide by the outcome. */
  | { readonly step: "attach" }
  /** Somebody works on the volume alone: decide again after the next change of its state. */
  | { readonly step: "wait" }
  /** `salvaging`: this access also makes the salvage more urgent. */
  | { readonly step: "refuse"; readonly code: Code; readonly salvaging: boolean }

/** So long after a salvage was asked for clients are told to wait; then they are told to look for another site. */
export const salvageBusyMs = 600_000

const serve: AccessStep = { step: "serve" }
const attach: AccessStep = { step: "attach" }
const wait: AccessStep = { step: "wait" }
const refuse = (code: Code): AccessStep => ({ step: "refuse", code, salvaging: false })

/** What clients are told of a volume that waits for its salvage. */
export function salvagingCode(wantedAt: Millis, now: Millis): Code {
  return now - wantedAt < salvageBusyMs ? "VBUSY" : "VRESTARTING"
}

/** The next step of an access. Asked again whenever the state has changed meanwhile. */
export function decideAccess(view: AccessView, now: Millis): AccessStep {
  const salvaging = (): AccessStep => ({
    step: "refuse",
    code: salvagingCode(view.salvageWantedAt ?? now, now),
    salvaging: true,
  })
  switch (view.state) {
    case "ERROR":
    case "SHUTTING_DOWN":
    case "FREED":
      return refuse("VNOVOL")
    case "UNATTACHED":
    case "GOING_OFFLINE":
      return refuse(view.specialStatus ?? "VOFFLINE")
    case "DELETED":
      return refuse(view.specialStatus ?? "VNOVOL")
    // What comes after the talk with the salvage server is known, so nobody needs to wait for it.
    case "SALVSYNC_REQ":
    case "SALVAGING":
    case "SALVAGE_REQ":
      return salvaging()
    case "PREATTACHED":
      if (view.salvageWantedAt !== undefined) return salvaging()
      if (view.specialStatus !== undefined) return refuse(view.specialStatus)
      return now < view.holdOffUntil ? refuse("VBUSY") : attach
    case "ATTACHED":
      return view.salvageWantedAt === undefined ? decideAttached(view) : salvaging()
    case "ATTACHING":
    case "UPDATING":
    case "GET_BITMAP":
    case "HDR_LOADING":
    case "HDR_ATTACHING":
    case "OFFLINING":
    case "DETACHING":
    case "VNODE_ALLOC":
    case "VNODE_GET":
    case "VNODE_CLOSE":
    case "VNODE_RELEASE":
    case "VLRU_ADD":
    case "SCANNING_RXCALLS":
      return wait
  }
}

function decideAttached(view: AccessView): AccessStep {
  if (view.specialStatus !== undefined) return refuse(view.specialStatus)
  if (view.flags?.inService !== true || !view.flags.blessed) return refuse("VNOVOL")
  return view.flags.inUse ? serve : refuse("VOFFLINE")
}
