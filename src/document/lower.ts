/** Lower case of the same length, so that offsets stay true; letters that would grow (İ) stay as they are. */
export function lowered(text: string): string {
  const lower = text.toLowerCase();
  return lower.length === text.length
    ? lower
    : text.replace(/./gsu, (char) => (char.toLowerCase().length === char.length ? char.toLowerCase() : char));
}

/** Scripts that write words without spaces. */
export const isSign = (text: string): boolean => /[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]/.test(text);

const letter = /[\p{L}\p{N}]/u;

/** True when a word begins at this offset: nothing or no letter stands before it. */
export const beginsAt = (text: string, at: number): boolean => at === 0 || !letter.test(text[at - 1] ?? "");

/** True when a word ends before this offset. */
export const endsAt = (text: string, at: number): boolean =>
  at >= text.length || !letter.test(text[at] ?? "");

/** Whether one of the words begins a word of the lower-case text; words of scripts without spaces count anywhere. */
export function holdsWord(lower: string, words: readonly string[]): boolean {
  for (const word of words) {
    let at = lower.indexOf(word);
    if (at === -1) continue;
    if (isSign(word)) return true;
    for (; at !== -1; at = lower.indexOf(word, at + 1)) if (beginsAt(lower, at)) return true;
  }
  return false;
}
