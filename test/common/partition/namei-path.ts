import test from "ava"
import { dataInode, type Inode, specialInode } from "../../../common/partition/inode-number.ts"
import {
  decodeInode,
  decodeNumber,
  encodeInode,
  encodeNumber,
  folderInGroup,
  groupFolder,
  inodePath,
} from "../../../common/partition/namei-path.ts"
import { seededRandom } from "../../support/random.ts"

const digits = "+=0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

/** The rule as it is written down, on big integers. */
function spelled(number: bigint): string {
  let rest = number
  let name = ""
  do {
    name += digits[Number(rest & 63n)]
    rest >>= 6n
  } while (rest !== 0n)
  return name
}

const valueOfInode = (inode: Inode): bigint => (BigInt(inode.high) << 32n) | BigInt(inode.low)

test("namei path: 64 digits, the least significant first, nothing in front", (t) => {
  t.is(digits.length, 64)
  t.deepEqual([0, 1, 2, 11, 12, 37, 38, 63, 64, 65, 4095].map(encodeNumber), [
    "+",
    "=",
    "0",
    "9",
    "A",
    "Z",
    "a",
    "z",
    "+=",
    "==",
    "zz",
  ])
  t.is(encodeNumber(0xffff_ffff), "zzzzz1")
})

test("namei path: the data files of the worked examples", (t) => {
  const named: [number, number, number, string][] = [
    [2, 2, 0, "0++++6"],
    [2, 2, 1, "0+++26"],
    [2, 2, 2, "0+++66"],
    [4, 15, 1, "2+++2w"],
    [4, 20, 2, "2+++6E="],
    [62, 98, 0, "y++++64"],
    [1, 1, 0, "=++++2"],
  ]
  for (const [vnode, unique, tag, name] of named) {
    t.is(encodeInode(dataInode(vnode, unique, tag)), name)
    t.deepEqual(decodeInode(name), dataInode(vnode, unique, tag))
  }
})

test("namei path: the special files of the worked examples", (t) => {
  const volume = 536_870_918
  const types = ["volumeInfo", "smallIndex", "largeIndex", "linkTable"] as const
  const names = types.map((type) => encodeInode(specialInode(volume, type)))
  t.deepEqual(names, ["zzzz5M++++0", "zzzz9M++++0", "zzzzDM++++0", "zzzzPM++++0"])
  t.is(encodeInode(specialInode(0x2000_000b, "volumeInfo")), "zzzz5g++++0")
})

test("namei path: folders by the group's low byte, the group, and the vnode number", (t) => {
  t.is(groupFolder(536_870_918), "AFSIDat/4/4+++U")
  t.is(groupFolder(0xf000_0001), "AFSIDat/=/=+++k1")
  t.is(inodePath(536_870_918, dataInode(2, 2, 2)), "AFSIDat/4/4+++U/+/+/0+++66")
  t.is(inodePath(536_870_918, specialInode(536_870_923, "volumeInfo")), "AFSIDat/4/4+++U/special/zzzz5g++++0")
})

test("namei path: 512 vnodes share a folder, 32 such folders the one above", (t) => {
  const folders = [511, 512, 16_383, 16_384, 2 ** 22 - 1, 2 ** 22, 2 ** 26 - 2].map((vnode) =>
    folderInGroup(dataInode(vnode, 1, 4)),
  )
  // 9 bits of the second level reach up to bit 17: it repeats the first level's lowest bits.
  const wanted = [
    [0, 0],
    [0, 1],
    [0, 31],
    [1, 32],
    [255, 511],
    [0, 0],
    [255, 511],
  ].map(([first = 0, second = 0]) => `${encodeNumber(first)}/${encodeNumber(second)}`)
  t.deepEqual(folders, wanted)
})

test("namei path: a name counts only if its number is spelled just so", (t) => {
  const wrong = [
    "",
    "++",
    "=+",
    "4+++U+",
    "a b",
    "é",
    "\u{1f4be}",
    "x/y",
    ".",
    "0++++6.bak",
    "=".repeat(12),
    "zzzzzzzzzzz",
  ]
  for (const name of wrong) t.is(decodeInode(name), undefined, name)
  t.deepEqual(decodeInode("+"), { high: 0, low: 0 })
  t.deepEqual(decodeInode("zzzzzzzzzzD"), { high: 0xffff_ffff, low: 0xffff_ffff })
  t.is(decodeInode("+++++++++++="), undefined)
  t.is(decodeInode("++++++++++E"), undefined) // 2^64
})

test("namei path: a group's folder name gives its id, and no name of more than 32 bits does", (t) => {
  t.is(decodeNumber("4+++U"), 536_870_918)
  t.is(decodeNumber("=+++k1"), 0xf000_0001)
  t.is(decodeNumber("zzzzz1"), 0xffff_ffff)
  t.is(decodeNumber("++++++"), undefined)
  t.is(decodeNumber("+++++2"), undefined)
})

test("namei path: every number is spelled as the rule says and read back", (t) => {
  const random = seededRandom(t)
  for (let round = 0; round < 20_000; round++) {
    const inode = { high: random.below(2 ** random.below(33)), low: random.below(2 ** 32) }
    const name = encodeInode(inode)
    if (name !== spelled(valueOfInode(inode))) t.fail(`${inode.high}/${inode.low} as ${name}`)
    t.deepEqual(decodeInode(name), inode)
  }
})
