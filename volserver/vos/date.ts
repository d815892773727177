/** Dates as administrators type and read them. OpenAFS's tools use local time. */
import { AfsError } from "../../common/error.ts"

const isoDate = /^\d{4}-\d{2}-\d{2}(T|$)/
const dayFirst = /^(\d{1,2})\/(\d{1,2})\/(\d{2}|\d{4})(?:[ T](\d{1,2}):(\d{2})(?::(\d{2}))?)?$/

/**
 * Seconds since 1970 of `mm/dd/yyyy [hh:mm[:ss]]` (local time), of an ISO 8601 date, or of a plain number of seconds.
 * @throws AfsError USAGE
 */
export function parseDate(words: string): number {
  const text = words.trim()
  if (/^\d+$/.test(text)) return within(Number(text), text)
  const match = dayFirst.exec(text)
  if (match === null) return within(isoDate.test(text) ? Date.parse(text) / 1000 : Number.NaN, text)
  const [, month, day, year, hours = "0", minutes = "0", seconds = "0"] = match
  const date = new Date(fullYear(Number(year)), Number(month) - 1, Number(day))
  if (date.getMonth() !== Number(month) - 1) throw unknownDate(text)
  date.setHours(Number(hours), Number(minutes), Number(seconds))
  return within(date.getTime() / 1000, text)
}

/** 70 to 99 are the last century's. */
function fullYear(year: number): number {
  if (year >= 100) return year
  return year >= 70 ? 1900 + year : 2000 + year
}

function within(seconds: number, text: string): number {
  if (Number.isFinite(seconds) && seconds >= 0 && seconds < 2 ** 32) return Math.floor(seconds)
  throw unknownDate(text)
}

function unknownDate(text: string): AfsError {
  const detail = `${JSON.stringify(text)} is no date: write mm/dd/yyyy hh:mm, yyyy-mm-ddThh:mm:ssZ, or seconds since 1970`
  return new AfsError("USAGE", "date", {}, { detail })
}

const days = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"]
const months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
const two = (number: number): string => String(number).padStart(2, "0")

/** `Sat Nov 21 13:36:17 2026`, local time, as ctime(3) writes it. */
export function shownDate(seconds: number): string {
  const date = new Date(seconds * 1000)
  const clock = [date.getHours(), date.getMinutes(), date.getSeconds()].map(two).join(":")
  const day = String(date.getDate()).padStart(2, " ")
  return `${days[date.getDay()]} ${months[date.getMonth()]} ${day} ${clock} ${date.getFullYear()}`
}

/** The date, or `Never` for 0. */
export const dateOrNever = (seconds: number): string => (seconds === 0 ? "Never" : shownDate(seconds))
