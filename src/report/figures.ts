/** A whole number with thousands separated: `31,902`. */
export function count(value: number): string {
  return Math.round(value)
    .toString()
    .replace(/\B(?=(\d{3})+(?!\d))/g, ",");
}

/**
 * A rate 0 … 1 as percentage with as many digits as say something: `0 %`, `0.012 %`, `0.9 %`, `12 %`;
 * `–` when unknown.
 */
export function percent(rate: number | null): string {
  if (rate === null || !Number.isFinite(rate)) return "–";
  return `${digits(rate * 100)} %`;
}

/** A share that is a percentage already: `50 %`, `0.5 %`. */
export function sharePercent(share: number): string {
  return `${digits(share)} %`;
}

/** Milliseconds of a latency: `0.4 ms`, `31 ms`, `1.2 s`; `–` when unknown. */
export function latency(ms: number | null): string {
  if (ms === null || !Number.isFinite(ms)) return "–";
  if (ms >= 999.5) return `${(ms / 1_000).toFixed(ms < 9_950 ? 1 : 0)} s`;
  return `${digits(ms)} ms`;
}

/** Calls a second: `203/s`, `0.4/s`; `–` when unknown. */
export function perSecond(rate: number | null): string {
  if (rate === null || !Number.isFinite(rate)) return "–";
  return rate >= 9.95 ? `${count(rate)}/s` : `${digits(rate)}/s`;
}

/** `+8 %`, `−12 %`, `±0 %`: by how much `after` differs from `before`. Empty when that cannot be said. */
export function change(before: number | null, after: number | null): string {
  if (before === null || after === null || before === 0) return "";
  const part = Math.round((after / before - 1) * 100);
  return part === 0 ? "±0 %" : `${part > 0 ? "+" : "−"}${Math.abs(part)} %`;
}

/** `1 step`, `14 steps`. */
export function plural(value: number, one: string, many: string = `${one}s`): string {
  return `${count(value)} ${value === 1 ? one : many}`;
}

/** A time for records: `2026-01-01 12:00:00 UTC`. */
export function timestamp(at: number): string {
  return `${new Date(at).toISOString().slice(0, 19).replace("T", " ")} UTC`;
}

/** Two significant digits below ten, whole numbers above. */
function digits(value: number): string {
  const size = Math.abs(value);
  if (size === 0) return "0";
  if (size >= 10) return count(value);
  return String(Number(value.toPrecision(2)));
}
