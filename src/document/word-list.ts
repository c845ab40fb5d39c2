/** Words written in few lines, `|` between them: a vocabulary of fifteen languages with a line for each word is not read by anybody. */
export function words(...lines: readonly string[]): readonly string[] {
  return lines.flatMap((line) => line.split("|"));
}
