/** The clients of a fileserver: hosts, promises, and the calls that go to them. */
import type { CallbackTable } from "./callback-table.ts"
import type { HostTable } from "./host-table.ts"

export interface Clients extends AsyncDisposable {
  readonly hosts: HostTable
  readonly callbacks: CallbackTable
}
