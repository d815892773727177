import { fork } from "node:child_process"
import { once } from "node:events"
import test from "ava"
import { builtProgram } from "../../support/project.ts"
import { spawnSource } from "../../support/spawned.ts"

const program = "test/common/cli/stopping.program.ts"

for (const signal of ["SIGINT", "SIGTERM", "SIGQUIT"] as const)
  test(`stopping: ${signal} is the reason a daemon stops for, and it ends in its own time`, async (t) => {
    const daemon = spawnSource(t, program)
    await daemon.line(/^ready$/)
    const end = await daemon.stop(signal)
    t.is(end.status, 0)
    t.regex(end.stdout, new RegExp(`^stopping: ${signal}$`, "m"))
  })

test("stopping: a second signal of the same kind ends a daemon that does not stop", async (t) => {
  const daemon = spawnSource(t, program, ["stubborn"])
  await daemon.line(/^ready$/)
  daemon.signal("SIGTERM")
  await daemon.line(/^stopping: SIGTERM$/)
  const end = await daemon.stop("SIGTERM")
  t.is(end.signal, "SIGTERM")
})

test("stopping: a daemon tells the parent that started it when it serves, and stops when the parent goes", async (t) => {
  const child = fork(builtProgram(program), [], { silent: true })
  t.teardown(() => void child.kill("SIGKILL"))
  const [message] = await once(child, "message")
  t.deepEqual(message, { type: "ready", pid: child.pid })
  child.disconnect()
  const [status] = await once(child, "exit")
  t.is(status, 0)
})

test("stopping: a daemon without such a parent announces itself to nobody", async (t) => {
  const daemon = spawnSource(t, program)
  await daemon.line(/^ready$/)
  t.is((await daemon.stop()).stderr, "")
})
