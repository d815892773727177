/** Runs a subcommand of `dafs` inside the test's process: quicker than a process for each line of a table. */
import yargs, { type CommandModule } from "yargs"

/**
 * Runs it and gives what it printed to stdout; rejects with the error that would end the command. One at a time (serial
 * tests): what it prints is taken from this process's own stdout.
 */
export async function runInProcess(module: CommandModule, words: readonly string[]): Promise<string> {
  let printed = ""
  const write = process.stdout.write
  process.stdout.write = (text: string | Uint8Array): boolean => {
    printed += String(text)
    return true
  }
  try {
    await parseInProcess(module, words)
  } finally {
    process.stdout.write = write
  }
  return printed
}

/** Has yargs read the words as `dafs` does, and run what they say. Rejects for words that it refuses. */
export async function parseInProcess(module: CommandModule, words: readonly string[]): Promise<void> {
  await yargs([...words])
    .parserConfiguration({ "short-option-groups": false })
    .command(module)
    .strict()
    .exitProcess(false)
    .fail((message, error) => {
      throw error ?? new Error(message)
    })
    .parseAsync()
}
