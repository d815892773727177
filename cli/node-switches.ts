/** What Node.js itself is told where a process is started. */

/**
 * Names certificates that Node.js parses at each start, together with all of its own, which takes longer than all the rest of it. No
 * program of ours speaks TLS.
 */
export const certificatesVariable = "NODE_EXTRA_CA_CERTS"

/**
 * For the fileserver: V8 reads it at the start only. Calls leave nothing behind, so that the space for young objects need not be as large as V8 lets it become: with 2 MiB instead
 * of 16 a server under load takes some 40 MiB less, and as much processor time.
 */
export const fileserverSwitches: readonly string[] = ["--max-semi-space-size=2"]
