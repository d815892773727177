/** What is wrong with a partition, in the sentences that the expectations of the damaged fixtures use. */
export class Findings {
  /** Inconsistencies: a sound partition has none. */
  readonly problems: string[] = []
  /** Deviations that OpenAFS itself leaves behind and that harm nobody. */
  readonly harmless: string[] = []

  /** Reports about one thing: `volume 536870918: ...`. */
  about(subject: string): (problem: string) => void {
    return (problem) => void this.problems.push(`${subject}: ${problem}`)
  }
}
