/** Which callers are near, in the sense of VolumeInfo's counters: in a network of this server by the old classes of addresses. */

/** The network of an IPv4 address by its class. OpenAFS viced/host.c (h_Alloc_r). */
export function networkOf(address: number): number {
  const first = address >>> 24
  if (first < 128) return (address & 0xff00_0000) >>> 0
  return (address & (first < 192 ? 0xffff_0000 : 0xffff_ff00)) >>> 0
}

export const networksOf = (addresses: readonly number[]): ReadonlySet<number> => new Set(addresses.map(networkOf))
