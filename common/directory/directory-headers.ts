/**
 * Whether the headers of a directory describe one that can be used: all its pages are in the image and have their tag, and the
 * allocation map agrees with the number of pages. docs/formats/directory.md.
 */
import { FormatError } from "../error.ts"
import {
  blobsPerPage,
  headerBlobsOf,
  mapAt,
  mapPages,
  mappedPages,
  noPage,
  pageCountAt,
  pageCountOf,
  pageSize,
  pagesMax,
  pageTag,
  tagAt,
} from "./directory-page.ts"

/** Number of pages. `path` is for errors only. @throws FormatError if headers are missing or contradict each other */
export function usablePages(bytes: Uint8Array, path: string | undefined): number {
  if (bytes.length < pageSize) {
    throw new FormatError("directory", { path, offset: 0 }, `${bytes.length} bytes`, `at least ${pageSize}`)
  }
  const pages = pageCountOf(bytes)
  if (pages === 0 || pages > pagesMax || pages * pageSize > bytes.length) {
    const found = `${pages} pages in ${bytes.length} bytes`
    throw new FormatError("directory", { path, offset: pageCountAt }, found, "the pages it tells of, 1 to 1023")
  }
  checkTags(bytes, pages, path)
  checkMap(bytes, pages, path)
  return pages
}

function checkTags(bytes: Uint8Array, pages: number, path: string | undefined): void {
  for (let page = 0; page < pages; page++) {
    const offset = page * pageSize + tagAt
    const tag = ((bytes[offset] ?? 0) << 8) | (bytes[offset + 1] ?? 0)
    if (tag === pageTag) continue
    throw new FormatError("directory page", { path, offset }, `tag ${tag} in page ${page}`, `${pageTag}`)
  }
}

/** Adding to a page that the map calls absent would wipe it out, so the map must agree with the number of pages. */
function checkMap(bytes: Uint8Array, pages: number, path: string | undefined): void {
  if (mappedPages(bytes) !== Math.min(pages, mapPages)) {
    const found = `${mappedPages(bytes)} pages in the allocation map`
    throw new FormatError("directory", { path, offset: mapAt }, found, `${Math.min(pages, mapPages)}`)
  }
  for (let page = 0; page < mapPages; page++) {
    const free = bytes[mapAt + page] ?? 0
    const most = page < pages ? blobsPerPage - headerBlobsOf(page) : noPage
    if (free <= most && (page < pages || free === noPage)) continue
    throw new FormatError("directory", { path, offset: mapAt + page }, `${free} free blobs in page ${page}`)
  }
}
