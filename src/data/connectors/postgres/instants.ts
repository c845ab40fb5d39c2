/**
 * Dates and times between PostgreSQL's binary form (microseconds or days since 2000-01-01) and its ISO text in UTC. Both ways
 * are here so that rows read by COPY and changes read from the log, which are text, give the same bytes.
 */

const dayMicros = 86_400_000_000;
const dayMicrosBig: bigint = BigInt(dayMicros);
/** Days from 0000-03-01 to 2000-01-01. */
const epochDays = 730_425;

/** How infinities are kept. */
const infinite = { late: 2n ** 63n - 1n, early: -(2n ** 63n) };
const infiniteDay = { late: 2 ** 31 - 1, early: -(2 ** 31) };

/** Text of a timestamp, with `+00` when it has a zone. */
export function timestampText(micros: bigint, zone: boolean): string {
  if (micros === infinite.late) return "infinity";
  if (micros === infinite.early) return "-infinity";
  let days = micros / dayMicrosBig;
  if (micros < 0n && days * dayMicrosBig !== micros) days -= 1n;
  return textAt(Number(days), Number(micros - days * dayMicrosBig), zone);
}

/** The same for microseconds that a number holds exactly: most of them, and several times quicker. */
export function timestampTextOf(micros: number, zone: boolean): string {
  let days = Math.floor(micros / dayMicros);
  let rest = micros - days * dayMicros;
  if (rest < 0) {
    days--;
    rest += dayMicros;
  } else if (rest >= dayMicros) {
    days++;
    rest -= dayMicros;
  }
  return textAt(days, rest, zone);
}

export function dateText(days: number): string {
  if (days === infiniteDay.late) return "infinity";
  if (days === infiniteDay.early) return "-infinity";
  const { date, before } = dayText(days);
  return before ? `${date} BC` : date;
}

/** Undefined for a text that is not in the form above. */
export function microsOfText(text: string, zone: boolean): bigint | undefined {
  if (text === "infinity") return infinite.late;
  if (text === "-infinity") return infinite.early;
  const parts = zone ? withZone.exec(text) : withoutZone.exec(text);
  if (parts === null) return undefined;
  const [, date = "", hours, minutes, seconds, fraction = "", before = ""] = parts;
  const days = daysOfText(date + before);
  if (days === undefined) return undefined;
  const micros =
    (Number(hours) * 3_600 + Number(minutes) * 60 + Number(seconds)) * 1_000_000 +
    Number(fraction.padEnd(6, "0"));
  if (micros >= dayMicros) return undefined;
  return BigInt(days) * dayMicrosBig + BigInt(micros);
}

/**
 * Writes the eight bytes of a timestamp that stands as text in `data`; false when it is not in the form above. Years of four digits
 * are read digit by digit, which is five times as quick.
 */
export function writeInstant(
  data: Buffer,
  at: number,
  size: number,
  zone: boolean,
  out: Buffer,
  to: number,
): boolean {
  const micros = commonMicros(data, at, zone ? size - 3 : size);
  if (micros !== undefined && (!zone || isUtc(data, at + size - 3))) {
    const high = Math.floor(micros / 4_294_967_296);
    out.writeInt32BE(high, to);
    out.writeUInt32BE(micros - high * 4_294_967_296, to + 4);
    return true;
  }
  const exact = microsOfText(data.toString("latin1", at, at + size), zone);
  if (exact !== undefined) out.writeBigInt64BE(exact, to);
  return exact !== undefined;
}

/** The day that was read last: rows of one day come together. */
const readDay: Buffer = Buffer.alloc(10);
let readDays = 0;

function isUtc(data: Buffer, at: number): boolean {
  return data[at] === 0x2b && data[at + 1] === 0x30 && data[at + 2] === 0x30;
}

/** Of `2026-01-31 23:59:59.999999` between the years 1800 and 2200, where a number holds it exactly. */
function commonMicros(data: Buffer, at: number, size: number): number | undefined {
  if (size < 19 || size > 26 || size === 20) return undefined;
  const digit = (place: number): number => (data[at + place] as number) - 0x30;
  const pair = (place: number): number => {
    const [tens, ones] = [digit(place), digit(place + 1)];
    return tens < 0 || tens > 9 || ones < 0 || ones > 9 ? Number.NaN : tens * 10 + ones;
  };
  const year = pair(0) * 100 + pair(2);
  const marks = data[at + 10] === 0x20 && data[at + 13] === 0x3a && data[at + 16] === 0x3a;
  if (!marks || !(year >= 1800 && year < 2200)) return undefined;
  let fraction = 0;
  if (size > 19) {
    if (data[at + 19] !== 0x2e) return undefined;
    let scale = 100_000;
    for (let place = 20; place < size; place++, scale /= 10) {
      const one = digit(place);
      if (one < 0 || one > 9) return undefined;
      fraction += one * scale;
    }
  }
  const [hours, minutes, seconds] = [pair(11), pair(14), pair(17)];
  if (!(hours < 24 && minutes < 60 && seconds < 60)) return undefined;
  if (data.compare(readDay, 0, 10, at, at + 10) !== 0) {
    const days = daysOfText(data.toString("latin1", at, at + 10));
    if (days === undefined) return undefined;
    data.copy(readDay, 0, at, at + 10);
    readDays = days;
  }
  return readDays * dayMicros + ((hours * 60 + minutes) * 60 + seconds) * 1_000_000 + fraction;
}

/** Undefined for a text that is not in the form above. */
export function daysOfText(text: string): number | undefined {
  if (text === "infinity") return infiniteDay.late;
  if (text === "-infinity") return infiniteDay.early;
  const parts = dateForm.exec(text);
  if (parts === null) return undefined;
  const year = parts[4] === undefined ? Number(parts[1]) : 1 - Number(parts[1]);
  const days = daysOf(year, Number(parts[2]), Number(parts[3]));
  // A day that the month does not have is another one when it is written again.
  return dateText(days) === text ? days : undefined;
}

const withZone = /^(\d{4,6}-\d\d-\d\d) (\d\d):(\d\d):(\d\d)(?:\.(\d{1,6}))?\+00( BC)?$/;
const withoutZone = /^(\d{4,6}-\d\d-\d\d) (\d\d):(\d\d):(\d\d)(?:\.(\d{1,6}))?( BC)?$/;
const dateForm = /^(\d{4,7})-(\d\d)-(\d\d)( BC)?$/;

const two: readonly string[] = Array.from({ length: 100 }, (_, n) => String(n).padStart(2, "0"));

function textAt(days: number, micros: number, zone: boolean): string {
  const seconds = Math.floor(micros / 1_000_000);
  const fraction = micros - seconds * 1_000_000;
  const minutes = Math.floor(seconds / 60);
  const clock = `${two[Math.floor(minutes / 60)]}:${two[minutes % 60]}:${two[seconds % 60]}`;
  const { date, before } = dayText(days);
  const part = fraction === 0 ? "" : `.${String(fraction).padStart(6, "0").replace(/0+$/, "")}`;
  return `${date} ${clock}${part}${zone ? "+00" : ""}${before ? " BC" : ""}`;
}

/** Rows of one day come together: the last one is kept. */
let lastDays = Number.NaN;
let lastText = { date: "", before: false };

/** Civil date of a day, after https://howardhinnant.github.io/date_algorithms.html (`civil_from_days`). */
function dayText(days: number): { readonly date: string; readonly before: boolean } {
  if (days === lastDays) return lastText;
  const shifted = days + epochDays;
  const era = Math.floor(shifted / 146_097);
  const ofEra = shifted - era * 146_097;
  const yearOfEra = Math.floor(
    (ofEra - Math.floor(ofEra / 1_460) + Math.floor(ofEra / 36_524) - Math.floor(ofEra / 146_096)) / 365,
  );
  const ofYear = ofEra - (365 * yearOfEra + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100));
  const month = Math.floor((5 * ofYear + 2) / 153);
  const day = ofYear - Math.floor((153 * month + 2) / 5) + 1;
  const civil = month < 10 ? month + 3 : month - 9;
  const year = yearOfEra + era * 400 + (civil <= 2 ? 1 : 0);
  const shown = year > 0 ? year : 1 - year;
  lastDays = days;
  lastText = { date: `${String(shown).padStart(4, "0")}-${two[civil]}-${two[day]}`, before: year <= 0 };
  return lastText;
}

/** `days_from_civil` of the same page. */
function daysOf(year: number, month: number, day: number): number {
  const shifted = month <= 2 ? year - 1 : year;
  const era = Math.floor(shifted / 400);
  const yearOfEra = shifted - era * 400;
  const ofYear = Math.floor((153 * (month > 2 ? month - 3 : month + 9) + 2) / 5) + day - 1;
  const ofEra = yearOfEra * 365 + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100) + ofYear;
  return era * 146_097 + ofEra - epochDays;
}
