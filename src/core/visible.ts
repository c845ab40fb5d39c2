/** One line without control characters: a record can hold anything, a terminal or page must not obey it. */
export function visible(text: string): string {
  return text
    .replace(/[\r\n\t]+/g, " ")
    .replace(/[\p{Cc}\u200e\u200f\u202a-\u202e\u2066-\u2069]/gu, "\ufffd");
}
