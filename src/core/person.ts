/** What says nothing about who somebody is, and may be anywhere in a name: joiners, marks of direction, variants. */
const unseen = /[\p{Cf}\p{Default_Ignorable_Code_Point}]/gu;
/** What steers a terminal, breaks a line or turns its direction. */
const control = /[\p{Cc}\p{Zl}\p{Zp}\u200e\u200f\u061c\u202a-\u202e\u2066-\u2069]/u;

/**
 * The same for all spellings of one person's name: blanks around it and their number, composed or decomposed letters,
 * capitals and unseen characters make nobody a second person. Letters that only look alike stay different.
 */
export function personKey(name: string): string {
  const folded = name.normalize("NFC").replace(unseen, "").toUpperCase().toLowerCase().normalize("NFC");
  return folded.trim().replace(/\s+/gu, " ");
}

/** What is wrong with a name that people answer for things with, as `expected …`; undefined when nothing is. */
export function personProblem(name: string): string | undefined {
  if (personKey(name) === "") return "a name";
  return control.test(name) ? "a name without control characters" : undefined;
}
