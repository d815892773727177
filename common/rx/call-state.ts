/**
 * The states of a call.
 *
 *              server                                   client
 *     precall ──► active ──► hold ──► dally    waiting ──► active ──► dally
 *        │           │         │        │         │          │          │
 *        └───────────┴─────────┴────────┴── reset ┴──────────┴──────────┘
 *
 * waiting: all four channels are taken. precall: the client has to prove itself. hold: the reply is not acknowledged yet.
 * dally: a client that still owes the last ACK. After reset only the channel remembers the call: its number, how far it
 * came, and how it ended.
 */
export type CallState = "waiting" | "precall" | "active" | "hold" | "dally" | "reset"

export const callFollowers: Readonly<Record<CallState, readonly CallState[]>> = {
  waiting: ["active", "reset"],
  precall: ["active", "reset"],
  active: ["hold", "dally", "reset"],
  hold: ["reset"],
  dally: ["reset"],
  reset: [],
}

/** As `rxdebug` prints them; a channel whose call is over dallies. */
export const callStateNumbers: Readonly<Record<CallState, number>> = {
  waiting: 0,
  precall: 1,
  active: 2,
  dally: 3,
  hold: 4,
  reset: 5,
}
