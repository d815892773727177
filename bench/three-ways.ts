/**
 * One piece of work on a volume done three ways in the same rounds: by ours as an operation of a running process, as the
 * volserver does it; by ours as a whole command, of which the start of Node.js and of our modules is a part; and by the
 * peer's command. Both of ours are set against the peer, and the goal is judged by the operation.
 */
import { type Answer, answerFrom, type Goal, type Side, type Turns, takeTurns } from "./measure.ts"

export interface ThreeWays {
  readonly what: string
  /** Of the figures that the sides give. */
  readonly unit: string
  readonly operation: Side["round"]
  readonly command: Side["round"]
  /** Undefined where there is none on this machine. */
  readonly peer: Side | undefined
  readonly goal: Goal
  readonly turns: Turns
}

/** Two answers: for the operation, and for the whole command. */
export async function answerThreeWays(ways: ThreeWays): Promise<Answer[]> {
  const { what, unit, operation, command, peer, goal, turns } = ways
  const ours = [
    { name: "operation", round: operation },
    { name: "command", round: command },
  ]
  const [operations = [], commands = [], theirs = []] = await takeTurns(
    peer === undefined ? ours : [...ours, peer],
    turns,
  )
  const against = peer && { name: peer.name, figures: theirs }
  return [
    answerFrom({ what: `${what}: operation`, unit, ours: operations, peer: against, goal }),
    answerFrom({ what: `${what}: whole command`, unit, ours: commands, peer: against }),
  ]
}
