/** `dafs launch NAME SWITCHES`: what a launcher becomes, our program in the place of OpenAFS's. */
import { packageVersion } from "../common/cli/package-version.ts"
import { type Launch, LaunchError, launchOf, usageOf } from "./openafs-programs.ts"

/** Undefined: there is nothing more to do. */
function prepare(name: string, switches: readonly string[]): Launch | undefined {
  try {
    const wanted = launchOf(name, switches)
    if (!("answer" in wanted)) return wanted
    process.stdout.write(wanted.answer === "help" ? usageOf(name) : `dafs ${packageVersion()}\n`)
  } catch (error) {
    if (!(error instanceof LaunchError)) throw error
    process.stderr.write(`${error.message}\n`)
    process.exitCode = error.status
  }
  return undefined
}

/** Runs `main` with the words of ours that a program's switches stand for; fails with the program's own exit status. */
export async function launch(
  name: string,
  switches: readonly string[],
  main: (words: string[]) => Promise<void>,
  fail: (error: unknown, json: boolean) => void,
): Promise<void> {
  const wanted = prepare(name, switches)
  if (wanted === undefined) return
  const { words, withoutEffect, failureStatus } = wanted
  if (withoutEffect.length > 0) process.stderr.write(`${name}: without effect here: ${withoutEffect.join(" ")}\n`)
  try {
    await main([...words])
  } catch (error) {
    fail(error, false)
  }
  if (process.exitCode !== undefined && process.exitCode !== 0) process.exitCode = failureStatus
}
