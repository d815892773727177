/** Where OpenAFS keeps what its servers share. Debian's places, as OpenAFS's own configure has them for Linux. */

export interface ServerDirectories {
  /** ThisCell, CellServDB, UserList, krb.conf, keys. */
  readonly configuration: string
  /** sysid, NetInfo, NetRestrict, NoAuth; sockets and saved state. */
  readonly state: string
  readonly logs: string
}

export const openafsDirectories: ServerDirectories = {
  configuration: "/etc/openafs/server",
  state: "/var/lib/openafs/local",
  logs: "/var/log/openafs",
}
