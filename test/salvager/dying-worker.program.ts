/** A worker of the group pool that dies with its first task in hand. */
process.on("message", (message: { readonly type: string }) => {
  if (message.type === "order") process.send?.({ type: "ready" })
  else process.kill(process.pid, "SIGKILL")
})
