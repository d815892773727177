/** A worker of the group pool that is told to stop, by others than the pool, when it gets its first tasks. */
process.on("message", ({ type }: { readonly type: string }) => {
  process.send?.({ type: type === "order" ? "ready" : "leaving" }, () => {
    if (type !== "order") process.disconnect()
  })
})
