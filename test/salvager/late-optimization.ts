/** When V8 optimizes: only where it is known how to say so. */
import test from "ava"
import { optimizeLate } from "../../salvager/late-optimization.ts"
import { builtProgram } from "../support/project.ts"
import { runProgram } from "../support/spawned.ts"

test("a version of V8 that does not know the flag is told nothing: it would print an error", (t) => {
  const told: string[] = []
  for (const version of ["12.4.254.21-node.33", "13.6.233.17-node.53", "14.6.202.34-node.34", "1", ""])
    optimizeLate(version, (flags) => told.push(flags))
  t.deepEqual(told, [])
  optimizeLate("11.3.244.8-node.46", (flags) => told.push(flags))
  t.deepEqual(told, ["--interrupt-budget=600000"])
})

test("the version of V8 that runs this test prints nothing", async (t) => {
  const script = `import(${JSON.stringify(builtProgram("salvager/late-optimization.ts"))}).then((late) => late.optimizeLate())`
  const { status, stdout, stderr } = await runProgram(process.execPath, ["-e", script])
  t.deepEqual([status, stdout, stderr], [0, "", ""])
})
