/**
 * The errors of operating systems differ in their numbers, so a client that says it knows OpenAFS's own table gets an index
 * into that instead of this system's number. OpenAFS comerr, util/uae.et (UAE), viced/viced.c (sys_error_to_et).
 */

/** UAEPERM, the first of the table. */
const tableBase = 49_733_376
/** Linux has no error 58, the table has no entry for it. */
const missingErrno = 58
/** The last errno that the table has. */
const errnoMax = 124
/** Numbers that mean something else to AFS: VSALVAGE to VIO, VRESTRICTED. */
const isCodeOfAfs = (code: number): boolean => (code >= 101 && code <= 112) || code === 120

/** What a client with OpenAFS's table gets for a number of Linux; codes that are AFS's own stay as they are. */
export function translateErrno(code: number): number {
  if (code <= 0 || code > errnoMax || code === missingErrno || isCodeOfAfs(code)) return code
  return tableBase + code - (code < missingErrno ? 1 : 2)
}
