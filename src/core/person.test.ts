import { describe, expect, test } from "vitest";
import { personKey, personProblem } from "./person.ts";

describe("one person", () => {
  test.each([
    ["blanks around it", " alice "],
    ["capitals", "Alice"],
    ["an unseen character", "ali\u200bce"],
    ["a variant of a letter", "alice\ufe0f"],
    ["a soft hyphen", "al\u00adice"],
    ["a blank of no width at its end", "alice\ufeff"],
  ])("is the same with %s", (_, name) => {
    expect(personKey(name)).toBe(personKey("alice"));
  });

  test("is the same with composed and decomposed letters, with a sharp s in capitals, and with two blanks", () => {
    expect(personKey("Zo\u00eb")).toBe(personKey("zoe\u0308"));
    expect(personKey("Strau\u00df")).toBe(personKey("STRAUSS"));
    expect(personKey("ann  lee")).toBe(personKey("Ann\u00a0Lee"));
  });

  test("is another one with another letter", () => {
    expect(new Set(["ann", "anna", "an n", "\u00e4nn", "ann@a", "ann@b"].map(personKey)).size).toBe(6);
  });
});

describe("a name", () => {
  test.each(["ann", "root@host", "O\u2019Neil", "\u738b\u82b3", "\u0646\u200c\u0645"])(
    "%s is taken",
    (name) => {
      expect(personProblem(name)).toBeUndefined();
    },
  );

  test.each(["a\nb", "a\u001b[2Jb", "a\u0000", "a\u2028b", "a\u202eb", "a\u007fb", "a\u0085b"])(
    "%j is refused",
    (name) => {
      expect(personProblem(name)).toBe("a name without control characters");
    },
  );

  test.each(["", "  ", "\u200b", "\ufeff"])("%j is none", (name) => {
    expect(personProblem(name)).toBe("a name");
  });
});
