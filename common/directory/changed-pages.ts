/** Which pages of a directory have been changed and not been taken to be written yet, in the order of their first change. */
import { pageSize } from "./directory-page.ts"

/** Bytes to write to the directory's data file. */
export interface DirectoryChange {
  /** Byte offset, a multiple of the page size. */
  readonly offset: number
  /** One or more whole pages, a copy. */
  readonly bytes: Uint8Array
}

/** A copy, in Node's pool of small buffers: an array of its own costs more than all the rest of a change. */
function copyOf(image: Uint8Array, first: number, last: number): DirectoryChange {
  const offset = first * pageSize
  return { offset, bytes: Buffer.from(image.subarray(offset, (last + 1) * pageSize)) }
}

export class ChangedPages {
  /** A Set that is emptied with each change is left behind and collected late. */
  #pages: number[] = []

  get numbers(): readonly number[] {
    return this.#pages
  }

  /** Page 0 is among the first to be changed, and mostly it is the last one that is changed again. */
  add(page: number): void {
    const known = page === 0 ? this.#pages.indexOf(page) : this.#pages.lastIndexOf(page)
    if (known < 0) this.#pages.push(page)
  }

  /** Takes them in the order of their first change; joined to one if they all lie side by side. */
  takeInOrder(image: Uint8Array): DirectoryChange[] {
    const pages = this.#take()
    const first = Math.min(...pages)
    const last = Math.max(...pages)
    if (last - first === pages.length - 1) return [copyOf(image, first, last)]
    return pages.map((page) => copyOf(image, page, page))
  }

  /** Takes them in ascending order, those side by side joined. */
  takeAscending(image: Uint8Array): DirectoryChange[] {
    const pages = this.#take().sort((a, b) => a - b)
    const changes: DirectoryChange[] = []
    for (let first = 0; first < pages.length; ) {
      let last = first
      while (pages[last + 1] === (pages[last] ?? 0) + 1) last++
      changes.push(copyOf(image, pages[first] ?? 0, pages[last] ?? 0))
      first = last + 1
    }
    return changes
  }

  #take(): number[] {
    const pages = this.#pages
    this.#pages = []
    return pages
  }
}
