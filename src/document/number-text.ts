/** Reads numbers as they are written in most places: `1,000` a thousand, `0,5` a half, `1.000.000` a million. */
export function numberOf(written: string): number {
  const text = written.replace(/[\s\u202f]/g, "");
  if (/^\d{1,3}(?:,\d{3})+(?:\.\d+)?$/.test(text)) return Number(text.replaceAll(",", ""));
  if (/^\d{1,3}(?:\.\d{3}){2,}$/.test(text)) return Number(text.replaceAll(".", ""));
  return Number(text.replace(",", "."));
}
