import { accessSync, constants, readFileSync } from "node:fs"
import { join } from "node:path"
import test from "ava"
import { certificatesVariable } from "../../cli/node-switches.ts"
import { LaunchError, launchOf, openafsPrograms, switchesOf, usageOf } from "../../cli/openafs-programs.ts"
import { needsOpenafs } from "../support/requirements.ts"
import { runDafs, runProgram } from "../support/spawned.ts"
import { temporaryDirectory } from "../support/temporary-directory.ts"

const openafsFolder = "/usr/lib/openafs"

/** What is typed, and what of ours it becomes. */
const translations: readonly (readonly [string, string])[] = [
  ["dafileserver", "fileserver --openafs --port 7000"],
  // as Debian's documentation has bosserver start it
  [
    "dafileserver -p 23 -busyat 600 -rxpck 400 -s 1200 -l 1200 -cb 65535 -b 240 -vc 1200",
    "fileserver --openafs --port 7000 --cb 65535 " +
      "--without-effect=-p --without-effect=-busyat --without-effect=-rxpck --without-effect=-s --without-effect=-l " +
      "--without-effect=-b --without-effect=-vc",
  ],
  [
    "dafileserver -vlruthresh 5 -vlruint 6 -vlrumax 7 -vlrudisable -offline-timeout -1",
    "fileserver --openafs --port 7000 --vlruthresh 5 --vlruinterval 6 --vlrumax 7 --vlrudisable --offline-timeout -1",
  ],
  [
    "dafileserver -d 25 -logfile /tmp/x -L",
    "fileserver --openafs --port 7000 --log-level trace --logfile /tmp/x --without-effect=-L",
  ],
  [
    "dafileserver -syslog -jumbo -sync always",
    "fileserver --openafs --port 7000 --jumbo --sync always --without-effect=-syslog",
  ],
  [
    "dafileserver -syslog 3 -config /etc/x -nojumbo",
    "fileserver --openafs --port 7000 --config-dir /etc/x --without-effect=-syslog",
  ],
  [
    "dafileserver -spare 5 -readonly -admin-write -realm A B",
    "fileserver --openafs --port 7000 --spare 5 --readonly --admin-write --without-effect=-realm",
  ],
  ["davolserver -p 64 -log", "volserver --openafs --parallel 64"],
  ["davolserver -logfile /x -udpsize 5", "volserver --openafs --logfile /x --without-effect=-udpsize"],
  ["davolserver -p 0", "volserver --openafs --parallel 1"],
  ["dafileserver -d 1 -cb 20000 -d 25", "fileserver --openafs --port 7000 --log-level trace --cb 20000"],
  ["salvageserver", "salvageserver --openafs"],
  ["salvageserver -parallel all4 -orphans r", "salvageserver --openafs --parallel 4 --orphans remove"],
  [
    "salvageserver -client -partition /vicepa -volumeid 5",
    "salvage request --openafs --wait --partition /vicepa --volumeid 5",
  ],
  [
    "dasalvager -partition a -volumeid 5 -forceDAFS -f",
    "salvager --openafs --orphans ignore --partition /vicepa --volumeid 5 --force",
  ],
  [
    "dasalvager initcmd -partition /vicepb -nowrite -orphans attach -salv -tmpdir /tmp",
    "salvager --openafs --partition /vicepb --nowrite --orphans attach --salvagedirs",
  ],
  // as bosserver starts it for bos salvage
  [
    "salvageserver -client /vicepa 536870912",
    "salvage request --openafs --wait --partition /vicepa --volumeid 536870912",
  ],
  ["dasalvager /vicepa -f", "salvager --openafs --orphans ignore --partition /vicepa --force"],
  ["dasalvager -orphans nonsense", "salvager --openafs --orphans ignore"],
]

for (const [typed, becomes] of translations) {
  test(`launchers: ${typed}`, (t) => {
    const [name = "", ...words] = typed.split(" ")
    const launch = launchOf(name, words)
    t.is("words" in launch ? launch.words.join(" ") : undefined, becomes)
  })
}

/** What is refused, with the status that OpenAFS's program has for wrong usage. */
const refusals: readonly (readonly [string, number, RegExp])[] = [
  [
    "dafileserver -nonsense",
    255,
    /^dafileserver: Unrecognized or ambiguous switch '-nonsense'; type 'dafileserver -help'/,
  ],
  ["dafileserver -vlru 5", 255, /ambiguous switch '-vlru'/],
  ["dafileserver nonsense", 255, /'nonsense'/],
  ["dasalvager a 5 6", 6, /'6'/],
  ["davolserver -p", 1, /'-p' isn't completed properly/],
  ["salvageserver -nowrite", 1, /-nowrite is not supported/],
  ["dasalvager -inodes", 1, /-inodes is not supported/],
  ["dasalvager -volumeid 5", 255, /-partition is needed/],
  ["bosserver", 2, /one of dafileserver, davolserver, salvageserver, dasalvager/],
]

for (const [typed, status, message] of refusals) {
  test(`launchers: ${typed} is refused with status ${status}`, (t) => {
    const [name = "", ...words] = typed.split(" ")
    const error = t.throws(() => launchOf(name, words), { instanceOf: LaunchError, message })
    t.is(error?.status, status)
  })
}

test("launchers: -help names every switch, with those that have no effect and those that are refused apart", (t) => {
  for (const name of openafsPrograms) t.deepEqual(launchOf(name, ["-help"]), { answer: "help" })
  const usage = usageOf("dafileserver")
  t.regex(usage, /^Usage: dafileserver .*\[-vlruthresh <value>\].*\[-help\]\n/)
  t.regex(usage, /\nTaken, without effect: .*-busyat/)
  t.notRegex(usage, /Not supported/)
  t.regex(usageOf("dasalvager"), /\nNot supported: -inodes -showsuid -showmounts\n$/)
})

test("launchers: a log of -datelogs has the moment in its name", (t) => {
  const launch = launchOf("dasalvager", ["-datelogs"])
  const words = "words" in launch ? launch.words.join(" ") : ""
  t.regex(words, /--logfile \/var\/log\/openafs\/SalvageLog\.\d{4}-\d\d-\d\d\.\d\d:\d\d:\d\d /)
})

/** The switches that a program of OpenAFS names in its own help, with what they take. */
async function helpOf(name: string): Promise<Map<string, string>> {
  const { stdout } = await runProgram(join(openafsFolder, name), ["-help"])
  const synopsis = stdout.split("Where:")[0] ?? ""
  const found = [...synopsis.matchAll(/\[-([\w-]+)(?: (\[?<[^>]*>)(\+?))?/g)]
  return new Map(
    found.map(([, full = "", value = "", many]) => {
      const one = value.startsWith("[") ? "maybe" : value === "" ? "none" : "one"
      return [full, many === "+" ? "many" : one]
    }),
  )
}

for (const name of openafsPrograms)
  needsOpenafs(`launchers: ${name} takes every switch that OpenAFS's takes, and no other`, async (t) => {
    const theirs = await helpOf(name)
    theirs.delete("help")
    t.true(theirs.size > 15)
    const ours = new Map([...switchesOf(name)].map(([full, { takes }]) => [full, takes as string]))
    t.deepEqual([...ours].sort(), [...theirs].sort())
  })

/** Command lines that end at once, before anything is opened: of all programs, and of the salvagers alone. */
const endings = ["-nonsense", "-help", "-logfil"] as const
const endingsOfSalvagers = ["-parallel", "-orphans", "-version", "version", "help"] as const

for (const name of openafsPrograms)
  needsOpenafs(
    `launchers: ${name} ends with OpenAFS's status where the command line is wrong or asks for help`,
    async (t) => {
      const folder = temporaryDirectory(t)
      await runDafs(["install-launchers", folder])
      const isServer = name === "dafileserver" || name === "davolserver"
      for (const words of isServer ? endings : [...endings, ...endingsOfSalvagers]) {
        const theirs = await runProgram(join(openafsFolder, name), [words])
        const ours = await runProgram(join(folder, name), [words])
        t.is(ours.status, theirs.status, words)
      }
    },
  )

test("launchers: installed, they are programs that run ours, and can be installed again over themselves", async (t) => {
  const folder = join(temporaryDirectory(t), "it's here", "lib")
  for (let round = 0; round < 2; round++) {
    const { status, stdout } = await runDafs(["install-launchers", folder, "--json"])
    t.is(status, 0)
    t.deepEqual(
      JSON.parse(stdout).paths,
      openafsPrograms.map((name) => join(folder, name)),
    )
  }
  for (const name of openafsPrograms) accessSync(join(folder, name), constants.X_OK)
  t.regex(readFileSync(join(folder, "dafileserver"), "utf8"), /^#!\/bin\/sh\n/)
  const help = await runProgram(join(folder, "dafileserver"), ["-help"])
  t.is(help.status, 0)
  t.regex(help.stdout, /^Usage: dafileserver/)
  const version = await runProgram(join(folder, "davolserver"), ["-version"])
  t.regex(version.stdout, /^dafs \d/)
  const environment = { [certificatesVariable]: "/nowhere" } // of which Node.js would complain
  t.is((await runProgram(join(folder, "davolserver"), ["-version"], { environment })).stderr, "")
  const wrong = await runProgram(join(folder, "dasalvager"), ["-nonsense"])
  t.is(wrong.status, 6)
  t.regex(wrong.stderr, /^dasalvager: Unrecognized or ambiguous switch/)
})
