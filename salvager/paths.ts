/** Path names of vnodes, as the plan will have them: for reports. */
import type { GroupModel, VolumeModel } from "./model.ts"
import { entriesOf, plannedDirectory } from "./passes/edits.ts"
import { rootVnode } from "./passes/entry-accounts.ts"

/** Directories whose names are kept. */
const cachedMax = 32
/** Longer paths are of no use to anybody. */
const depthMax = 256

export class PathFinder {
  readonly #group: GroupModel
  readonly #names = new Map<string, ReadonlyMap<number, string>>()

  constructor(group: GroupModel) {
    this.#group = group
  }

  /** `/home/bob/file`; undefined if no chain of directories leads there. */
  pathOf(volumeId: number, vnode: number): string | undefined {
    const volume = this.#group.volume(volumeId)
    if (volume === undefined) return undefined
    const words: string[] = []
    for (let at = vnode; at !== rootVnode; ) {
      const slot = volume.vnodes.find(at)
      const holder = slot < 0 ? 0 : volume.vnodes.holder(slot)
      const name = holder === 0 ? undefined : this.#namesIn(volume, holder).get(at)
      if (name === undefined || words.length === depthMax) return undefined
      words.push(name)
      at = holder
    }
    return `/${words.reverse().join("/")}`
  }

  #namesIn(volume: VolumeModel, directory: number): ReadonlyMap<number, string> {
    const key = `${volume.id} ${directory}`
    const known = this.#names.get(key)
    if (known !== undefined) return known
    const [oldest] = this.#names.keys()
    if (this.#names.size >= cachedMax && oldest !== undefined) this.#names.delete(oldest)
    const isEdited = volume.edits.has(directory)
    const entries = isEdited
      ? plannedDirectory(this.#group, volume, directory).entries
      : entriesOf(this.#group, volume, directory)
    const names = new Map(entries.map(({ vnode, name }) => [vnode, name.toString()]))
    this.#names.set(key, names)
    return names
  }
}
