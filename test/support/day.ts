/** Fileservers begin a volume's counters anew at midnight, by local time: what compares them must not run over it. */
import { setTimeout as delay } from "node:timers/promises"

/** Waits for the next day if this one ends within so many seconds. */
export async function untilDayLasts(seconds: number): Promise<void> {
  const now = new Date()
  const midnight = new Date(now.getFullYear(), now.getMonth(), now.getDate() + 1)
  const left = midnight.getTime() - now.getTime()
  if (left < 1000 * seconds) await delay(left + 1000)
}
