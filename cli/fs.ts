/** `dafs fs`: files of a fileserver, by its address and a volume's number or a fid, for those who have no AFS client. */
import type { Argv, CommandModule } from "yargs"
import { getCommand, putCommand } from "./fs-copy.ts"
import {
  chmodCommand,
  chownCommand,
  linkCommand,
  listCommand,
  mkdirCommand,
  mountCommand,
  moveCommand,
  removeCommand,
  rmdirCommand,
  statCommand,
  symlinkCommand,
  touchCommand,
} from "./fs-names.ts"
import { moduleOf } from "./fs-session.ts"
import {
  aclGetCommand,
  aclSetCommand,
  lockCommand,
  quotaGetCommand,
  quotaSetCommand,
  unlockCommand,
  volumeCommand,
} from "./fs-volume.ts"

const aclCommand: CommandModule = {
  command: "acl",
  describe: "Show or change access lists",
  builder: (parser: Argv) =>
    parser.command(moduleOf(aclGetCommand)).command(moduleOf(aclSetCommand)).demandCommand(1, "get or set?"),
  handler: () => undefined,
}

const quotaCommand: CommandModule = {
  command: "quota",
  describe: "Show or set a volume's quota",
  builder: (parser: Argv) =>
    parser.command(moduleOf(quotaGetCommand)).command(moduleOf(quotaSetCommand)).demandCommand(1, "get or set?"),
  handler: () => undefined,
}

export const fsCommand: CommandModule = {
  command: "fs",
  describe: "Work with files on a fileserver",
  builder: (parser: Argv) =>
    parser
      .command(moduleOf(listCommand))
      .command(moduleOf(statCommand))
      .command(moduleOf(getCommand))
      .command(moduleOf(putCommand))
      .command(moduleOf(mkdirCommand))
      .command(moduleOf(removeCommand))
      .command(moduleOf(rmdirCommand))
      .command(moduleOf(moveCommand))
      .command(moduleOf(linkCommand))
      .command(moduleOf(symlinkCommand))
      .command(moduleOf(mountCommand))
      .command(moduleOf(chmodCommand))
      .command(moduleOf(chownCommand))
      .command(moduleOf(touchCommand))
      .command(aclCommand)
      .command(quotaCommand)
      .command(moduleOf(volumeCommand))
      .command(moduleOf(lockCommand))
      .command(moduleOf(unlockCommand))
      .demandCommand(1, "Which command? See dafs fs --help")
      .example("$0 fs put 10.99.0.1 notes.txt 536870915:home/ann/", "store a file in a directory of a volume")
      .example("$0 fs ls localhost:7000 536870915:", "list a volume's root directory")
      .example("$0 fs get localhost 536870915.4.7 -", "print a file by its fid")
      .example("$0 fs acl set localhost 536870915: system:anyuser read", "let everybody read"),
  handler: () => undefined,
}
