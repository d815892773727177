// fcntl locks and signals belong to a process, so every test file runs in one of its own.
const build = process.env.DAFS_BUILD ?? "build"

// Node.js would parse these at the start of each of some thousand processes (docs/start-up.md).
delete process.env.NODE_EXTRA_CA_CERTS

export default {
  files: [`${build}/test/**/*.js`, `!${build}/test/support/**`, `!${build}/test/**/*.program.js`],
  workerThreads: false,
  // Of a file in which no test ends for so long. Some run dozens at a time, which all end at the end.
  timeout: "300s",
  // Fileservers that tests start side by side take any port, unless they say which.
  environmentVariables: { DAFS_PORT: "0" },
}
