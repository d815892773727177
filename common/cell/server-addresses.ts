/**
 * Which addresses a server is known by: those of its interfaces, cut down by NetInfo (what to use) and NetRestrict (what
 * not). Loopback addresses are never told to anybody. OpenAFS util/netutils.c (afsconf_ParseNetFiles).
 */
import type { Disk } from "../disk/disk.ts"
import { parseHost } from "../rx/datagram-port.ts"
import { lineFound, readConfiguration } from "./configuration-file.ts"

/** What a server is to call itself, and what was wrong with the files: such lines count for nothing. */
export interface ServerAddresses {
  /** IPv4 addresses as numbers. */
  readonly addresses: readonly number[]
  readonly complaints: readonly string[]
}

/** Addresses under a prefix; `isFake` ones are used without an interface. */
interface AddressRule {
  readonly address: number
  readonly bits: number
  readonly isFake: boolean
}

/** Most addresses that one server has. */
const addressesMax = 15
const loopback: AddressRule = { address: 0x7f00_0000, bits: 8, isFake: false }

const covers = ({ address, bits }: AddressRule, other: number): boolean =>
  bits === 0 || (address ^ other) >>> (32 - bits) === 0

/** What the two files in a server's state directory make of the addresses of its interfaces. @throws FormatError, DiskError */
export function serverAddresses(interfaces: readonly number[], directory: string, disk: Disk): ServerAddresses {
  const complaints: string[] = []
  const rulesOf = (name: string): AddressRule[] => {
    const path = `${directory}/${name}`
    return parseRules(readConfiguration(path, disk) ?? "", path, complaints)
  }
  const wanted = wantedAddresses(interfaces, rulesOf("NetInfo"), complaints)
  const addresses = restrict(wanted, rulesOf("NetRestrict"), complaints)
  if (addresses.length > addressesMax)
    complaints.push(`${addresses.length} addresses: only the first ${addressesMax} are used`)
  return { addresses: addresses.slice(0, addressesMax), complaints }
}

/** What NetInfo leaves of the interfaces, and whether it chose at all. */
interface Wanted {
  readonly addresses: readonly number[]
  readonly isChosen: boolean
}

function wantedAddresses(interfaces: readonly number[], rules: readonly AddressRule[], complaints: string[]): Wanted {
  const usable = [...new Set(interfaces)].filter((address) => !covers(loopback, address))
  if (rules.length === 0) return { addresses: usable, isChosen: false }
  const chosen: number[] = []
  for (const rule of rules) {
    const found = rule.isFake ? rule.address : usable.find((address) => covers(rule, address))
    if (found === undefined) complaints.push(`NetInfo: no interface has ${ruleText(rule)}`)
    else if (chosen.includes(found)) complaints.push(`NetInfo: ${ruleText(rule)} is there twice`)
    else chosen.push(found)
  }
  return { addresses: chosen, isChosen: true }
}

/** Restrictions that would leave nothing of the interfaces are ignored; a chosen list is not protected so. */
function restrict({ addresses, isChosen }: Wanted, rules: readonly AddressRule[], complaints: string[]): number[] {
  const left = addresses.filter((address) => !rules.some((rule) => covers(rule, address)))
  if (left.length > 0 || addresses.length === 0 || isChosen) return left
  complaints.push("NetRestrict leaves no address: it is ignored")
  return [...addresses]
}

const ruleText = ({ address, bits }: AddressRule): string =>
  `${[24, 16, 8, 0].map((shift) => (address >>> shift) & 255).join(".")}${bits === 32 ? "" : `/${bits}`}`

/** After an address without a prefix one blank is passed over, then another or the end has to come: ` # name` is refused. */
const linePattern = /^\s*(?:([fF])\s+)?(\d+\.\d+\.\d+\.\d+)(?:\/(\d{1,2})(?:\s.*)?|\s(?:\s.*)?)?$/

function parseRules(text: string, path: string, complaints: string[]): AddressRule[] {
  const lines = text.split("\n")
  const unfinished = lines.pop() ?? ""
  const rules = lines.map((line, index) => parseRule(line, index + 1, path, complaints))
  if (unfinished !== "") complaints.push(`${path}, ${lineFound(lines.length + 1, unfinished)}: no newline at its end`)
  return rules.filter((rule) => rule !== undefined)
}

function parseRule(line: string, number: number, path: string, complaints: string[]): AddressRule | undefined {
  if (line.trim() === "") return undefined
  const complain = (why: string): undefined => void complaints.push(`${path}, ${lineFound(number, line)}: ${why}`)
  const [, fake, text = "", prefix = "32"] = linePattern.exec(line) ?? []
  const address = parseHost(text)
  const bits = Number(prefix)
  if (address === undefined || bits > 32) return complain("wanted an address, or address/bits")
  if (fake !== undefined && bits !== 32) return complain("a fake address has no prefix")
  return { address, bits, isFake: fake !== undefined }
}
