/** A worker of the group pool that says of all its tasks that they are done, and dies in the same instant. */
interface Told {
  readonly type: string
  readonly tasks?: readonly { readonly name: string; readonly group: number }[]
}

const counts = { note: 0, repaired: 0, loss: 0, left: 0 }

process.on("message", ({ type, tasks = [] }: Told) => {
  if (type === "order") process.send?.({ type: "ready" })
  else {
    for (const { name, group } of tasks) {
      const facts = { partition: name, group, volumes: [], counts, files: 0, milliseconds: 4711 }
      process.send?.({ type: "done", result: { type: "group", status: "clean", ...facts }, events: [] })
    }
    process.kill(process.pid, "SIGKILL")
  }
})
