/** How long a round trip to a peer takes and how long to wait for one: Jacobson and Karels in OpenAFS's units (rx/rx.c). */
import type { Millis } from "../clock.ts"
import { ackAllowanceMs, roundTripMinMs } from "./limits.ts"

/** Smoothed round trip and its deviation. */
export interface RoundTrip {
  /** In 1/8 ms. */
  smoothed: number
  /** In 1/4 ms. */
  deviation: number
  samples: number
  /** The retransmission timer before any back-off. */
  timeoutMs: Millis
}

export function newRoundTrip(initialMs: Millis): RoundTrip {
  return { smoothed: 0, deviation: 0, samples: 0, timeoutMs: initialMs + ackAllowanceMs }
}

/** Takes one measurement of at least 0 ms. */
export function sampleRoundTrip(trip: RoundTrip, measuredMs: Millis): void {
  if (trip.samples++ === 0) {
    trip.smoothed = measuredMs * 8
    trip.deviation = measuredMs * 2
  } else {
    const error = measuredMs - trip.smoothed / 8
    trip.smoothed += error
    trip.deviation += Math.abs(error) - trip.deviation / 4
  }
  trip.timeoutMs = Math.max(trip.smoothed / 8 + trip.deviation, roundTripMinMs) + ackAllowanceMs
}
