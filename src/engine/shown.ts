/** What somebody's function answered, in a few words for a message. Never throws. */
export function shown(answer: unknown): string {
  if (answer === undefined) return "nothing";
  try {
    const text = JSON.stringify(answer) ?? typeof answer;
    return text.length > 80 ? `${text.slice(0, 80)}…` : text;
  } catch {
    // A bigint, or what refers to itself.
    return typeof answer === "bigint" ? `${answer}n` : `an ${typeof answer} that JSON cannot hold`;
  }
}
