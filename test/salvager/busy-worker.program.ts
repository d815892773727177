/** A worker of the group pool that finds a volume of each of its groups in somebody's hands. */
interface Told {
  readonly type: string
  readonly tasks?: readonly { readonly name: string; readonly group: number }[]
}

const counts = { note: 0, repaired: 0, loss: 0, left: 0 }

process.on("message", ({ type, tasks = [] }: Told) => {
  if (type === "order") process.send?.({ type: "ready" })
  for (const { name, group } of tasks) {
    const facts = { partition: name, group, volumes: [], counts, files: 0, milliseconds: 1 }
    const result = { type: "group", status: "busy", error: { code: "LOCKED", message: "somebody" }, ...facts }
    process.send?.({ type: "done", result, events: [result] })
  }
})
