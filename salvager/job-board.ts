/**
 * Tells whoever asks which salvages wait, run and have ended, and goes on telling as they change. Reading only: requests go
 * over SALVSYNC, which OpenAFS's programs speak too.
 */
import { type JsonChannel, type JsonServer, listenJson } from "../fssync/json-channel.ts"
import type { JobView } from "./job-view.ts"

/** What the board says. */
interface JobsMessage {
  readonly type: "jobs"
  readonly jobs: readonly JobView[]
}

/** Watchers are told at most so often. */
const everyMs = 200

export class JobBoard implements AsyncDisposable {
  readonly #jobs: () => readonly JobView[]
  readonly #watchers = new Set<JsonChannel>()
  #server: JsonServer | undefined
  #timer: NodeJS.Timeout | undefined

  constructor(jobs: () => readonly JobView[]) {
    this.#jobs = jobs
  }

  /** @throws AfsError VBUSY if another server answers on the socket */
  async listen(path: string): Promise<void> {
    this.#server = await listenJson(path, "salvageserver", (channel) => this.#accept(channel))
  }

  /** Something has changed. */
  changed(): void {
    if (this.#watchers.size === 0) return
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined
      for (const channel of this.#watchers) this.#tell(channel)
    }, everyMs).unref()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    clearTimeout(this.#timer)
    await this.#server?.close()
  }

  #accept(channel: JsonChannel): void {
    channel.listen({
      message: ({ type }) => {
        if (type === "watch") this.#watchers.add(channel)
        this.#tell(channel)
      },
      closed: () => void this.#watchers.delete(channel),
    })
  }

  #tell(channel: JsonChannel): void {
    const message: JobsMessage = { type: "jobs", jobs: this.#jobs() }
    channel.send(message)
  }
}
