import test from "ava"
import { PromiseStore } from "../../fileserver/promise-store.ts"
import { fidText } from "../support/cache-manager.ts"
import { fuzz, type Random } from "../support/random.ts"

interface Modelled {
  readonly volume: number
  readonly vnode: number
  readonly unique: number
  readonly host: number
  end: number
  isDelayed: boolean
}

const textOf = ({ volume, vnode, unique, host, end, isDelayed }: Modelled): string =>
  `${volume}.${vnode}.${unique} ${host} ${end}${isDelayed ? " delayed" : ""}`

function textAt(store: PromiseStore, at: number): string {
  return `${fidText(store.fidOf(at))} ${store.hostOf(at)} ${store.endOf(at)}${store.isDelayed(at) ? " delayed" : ""}`
}

const textsOf = (store: PromiseStore, slots: Iterable<number>): string[] => [...slots].map((at) => textAt(store, at))

function* ofFile(store: PromiseStore, file: number): Generator<number> {
  for (let at = file === 0 ? 0 : store.firstOf(file); at !== 0; at = store.nextOf(at)) yield at
}

/** A store beside a list of plain objects, which is searched from end to end; oldest first. */
class Pair {
  readonly store: PromiseStore
  model: Modelled[] = []
  readonly capacity: number

  constructor(capacity: number, hosts: number) {
    this.capacity = capacity
    this.store = new PromiseStore(capacity, hosts)
  }

  slotOf({ volume, vnode, unique, host }: Modelled): number {
    const file = this.store.findFile(volume, vnode, unique)
    return file === 0 ? 0 : this.store.find(file, host)
  }

  step(random: Random): void {
    const what = random.below(10)
    if (what < 6) this.grant(random)
    else if (what < 8 && this.model.length > 0) this.drop(random.pick(this.model))
    else if (what === 8 && this.model.length > 0) this.delay(random.pick(this.model))
    else if (random.below(20) === 0) this.dropSome(random)
  }

  grant(random: Random): void {
    const promise: Modelled = {
      volume: 0x2000_0000 + random.below(4),
      vnode: random.below(2) === 0 ? 0xffff_fff0 + random.below(4) : 2 * random.below(6),
      unique: random.below(3),
      host: 1 + random.below(8),
      end: 14_000_000 + random.below(100),
      isDelayed: false,
    }
    const at = this.slotOf(promise)
    const { volume, vnode, unique, host, end } = promise
    const known = this.model.find((one) => textOf({ ...one, end, isDelayed: false }) === textOf(promise))
    if ((at === 0) !== (known === undefined)) throw new Error(`${textOf(promise)}: found ${at}`)
    if (known !== undefined) {
      this.store.renew(at, end)
      Object.assign(known, { end, isDelayed: false })
    } else if (this.store.add(volume, vnode, unique, host, end) !== 0) this.model.push(promise)
    else if (this.model.length !== this.capacity) throw new Error("there was room")
  }

  drop(promise: Modelled): void {
    this.store.remove(this.slotOf(promise))
    this.model = this.model.filter((one) => one !== promise)
  }

  delay(promise: Modelled): void {
    this.store.delay(this.slotOf(promise))
    promise.isDelayed = true
  }

  /** Everything of a host or a volume, removed while it is walked. */
  dropSome(random: Random): void {
    if (random.below(2) === 0) {
      const host = 1 + random.below(8)
      for (const at of this.store.ofHost(host)) this.store.remove(at)
      this.model = this.model.filter((one) => one.host !== host)
    } else {
      const volume = 0x2000_0000 + random.below(4)
      for (const at of this.store.ofVolume(volume)) this.store.remove(at)
      this.model = this.model.filter((one) => one.volume !== volume)
    }
  }

  /** What every question should be answered with, and is. */
  differences(): string[] {
    const { store, model } = this
    const found: string[] = []
    const compare = (what: string, seen: readonly string[], wanted: readonly string[]): void => {
      if (seen.join("|") !== wanted.join("|")) found.push(`${what}: ${seen.join("|")}, wanted ${wanted.join("|")}`)
    }
    const sorted = (texts: readonly string[]): string[] => [...texts].sort()
    compare("all", sorted(textsOf(store, store.all())), sorted(model.map(textOf)))
    compare("counts", [`${store.count} ${store.fileCount}`], [`${model.length} ${filesOf(model).size}`])
    for (let host = 0; host <= 8; host++) {
      const mine = model.filter((one) => one.host === host).map(textOf)
      compare(`host ${host}`, textsOf(store, store.ofHost(host)), mine)
      compare(`count of host ${host}`, [`${store.countOfHost(host)}`], [`${mine.length}`])
    }
    for (let volume = 0x2000_0000; volume < 0x2000_0004; volume++) {
      const mine = model.filter((one) => one.volume === volume)
      compare(`volume ${volume}`, sorted(textsOf(store, store.ofVolume(volume))), sorted(mine.map(textOf)))
      compare(`has volume ${volume}`, [`${store.hasVolume(volume)}`], [`${mine.length > 0}`])
    }
    for (const [first, ofThis] of filesOf(model).values()) {
      const file = store.findFile(first.volume, first.vnode, first.unique)
      compare("file", sorted(textsOf(store, ofFile(store, file))), sorted(ofThis.map(textOf)))
      compare("count of file", [`${store.countOf(file)}`], [`${ofThis.length}`])
    }
    return found
  }
}

function filesOf(model: readonly Modelled[]): Map<string, [Modelled, Modelled[]]> {
  const files = new Map<string, [Modelled, Modelled[]]>()
  for (const one of model) {
    const key = `${one.volume}.${one.vnode}.${one.unique}`
    const known = files.get(key)
    if (known === undefined) files.set(key, [one, [one]])
    else known[1].push(one)
  }
  return files
}

test("promise store: agrees with a list of plain objects, whatever is done to it", (t) => {
  fuzz(t, (random) => {
    const pair = new Pair(1 + random.below(60), 8)
    for (let step = 0; step < 300; step++) {
      pair.step(random)
      if (step % 10 === 0 || step > 290) t.deepEqual(pair.differences(), [], `seed ${random.seed}, step ${step}`)
    }
  })
})

test("promise store: a full table takes nothing more, and records are used again", (t) => {
  const store = new PromiseStore(3, 2)
  t.deepEqual(
    [2, 4, 6, 8].map((vnode) => store.add(5, vnode, 1, 1, 7)),
    [1, 2, 3, 0],
  )
  t.true(store.isFull)
  const { bytes } = store
  for (let round = 0; round < 100; round++) {
    store.remove(store.find(store.findFile(5, 4, 1), 1))
    t.is(store.add(5, 4, 1, 1, round), 2)
  }
  t.is(store.bytes, bytes)
  t.is(store.add(5, 4, 1, 2, 7), 0)
})

test("promise store: an object's record goes with its last promise", (t) => {
  const store = new PromiseStore(10, 4)
  store.add(5, 2, 2, 1, 7)
  store.add(5, 2, 2, 2, 7)
  const file = store.findFile(5, 2, 2)
  store.remove(store.find(file, 1))
  t.is(store.findFile(5, 2, 2), file)
  store.remove(store.find(file, 2))
  t.is(store.findFile(5, 2, 2), 0)
  t.deepEqual([store.count, store.fileCount, store.hasVolume(5)], [0, 0, false])
})

test("promise store: a hundred thousand promises, each on an object of its own, take at most 64 bytes each", (t) => {
  const store = new PromiseStore(100_000, 1_000)
  for (let index = 0; index < 100_000; index++) store.add(5 + (index % 100), 2 * index, index, 1 + (index % 1000), 7)
  t.is(store.count, 100_000)
  t.true(store.bytes <= 100_000 * 64, `${store.bytes} bytes`)
})
