/**
 * Opens or makes a partition, as the user of the first argument, and prints what came of it as JSON. Becoming that user
 * comes after all is loaded, so that the program may lie where the user could not read it.
 */
import { AfsError } from "../../../common/error.ts"
import { createPartition, findPartitions, openPartition, type Partition } from "../../../common/partition/partition.ts"

const [user = "0", action = "", path = ""] = process.argv.slice(2)

const facts = ({ path, name, index, ownerEncoding }: Partition): object => ({ path, name, index, ownerEncoding })

function result(): unknown {
  switch (action) {
    case "open":
      return facts(openPartition(path))
    case "create":
      return facts(createPartition(path, { development: false }))
    case "create-development":
      return facts(createPartition(path, { development: true }))
    case "find":
      return found()
    default:
      throw new Error(`no action ${action}`)
  }
}

function found(): object {
  const refused: string[] = []
  const partitions = findPartitions(undefined, (path) => refused.push(path)).map(facts)
  return { partitions, refused }
}

if (user !== "0") {
  process.setgroups?.([])
  process.setgid?.(Number(user))
  process.setuid?.(Number(user))
}
try {
  process.stdout.write(`${JSON.stringify(result())}\n`)
} catch (error) {
  if (!(error instanceof AfsError)) throw error
  process.stdout.write(`${JSON.stringify({ code: error.code, message: error.message })}\n`)
}
