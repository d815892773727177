/** When a daemon is to stop: signals, and the end of the program that runs it. */

const stopSignals = ["SIGINT", "SIGTERM", "SIGQUIT"] as const

/**
 * Resolves with the reason once the process is told to stop: a signal, or the loss of the channel to a parent that started
 * it with one. A second signal of the same kind then has its usual effect.
 */
export function untilStopped(): Promise<string> {
  return new Promise((resolve) => {
    const handlers = stopSignals.map((signal) => [signal, () => stop(signal)] as const)
    const lost = (): void => stop("parent is gone")
    function stop(reason: string): void {
      for (const [signal, handler] of handlers) process.off(signal, handler)
      process.off("disconnect", lost)
      if (process.connected) process.disconnect()
      resolve(reason)
    }
    for (const [signal, handler] of handlers) process.on(signal, handler)
    if (process.connected) process.on("disconnect", lost)
  })
}

/** Tells the parent, if it listens, that this daemon now serves; `port`: the UDP port at which it does, if it has one. */
export function announceReady(port?: number): void {
  process.send?.({ type: "ready", pid: process.pid, port })
}
