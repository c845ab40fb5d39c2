import type { Json } from "../../core/index.ts";
import { type ConfigFormat, valueIn } from "./configure-change.ts";
import { editsBetween, isObject, type MemberPath, pathText } from "./configure-path.ts";
import { count, sizeText } from "./step-progress.ts";

/** Names of what nobody wants to find in a report. */
const secretName =
  /pass(?:word|wd|phrase|code)?\b|pass_?|pwd|secret|token|credential|api_?-?key|private_?-?key|auth(?!or)/i;
/** Values that are secrets whatever their name: addresses with a password in them, keys in PEM. */
const secretValue = /:\/\/[^/\s:@]*:[^@\s]+@|-----BEGIN/;
const longest = 60;
/** Lines of a text that are looked at one by one; the work grows with their square. */
const mostLines = 400;

/** What becomes of it, a line for each member or line of text that changes; values of secrets are left out. */
export function differenceLines(
  before: Uint8Array | undefined,
  after: Uint8Array | undefined,
  format: ConfigFormat,
  place: string,
): readonly string[] {
  if (format === "bytes") return [`${sizeOf(before)} → ${sizeOf(after)}`];
  const [old, next] = [before, after].map((bytes) =>
    bytes === undefined ? undefined : valueIn(bytes, format, place),
  );
  if (format === "text") return textLines(old as string | undefined, next as string | undefined);
  return memberLines(old as Json | undefined, next as Json | undefined);
}

const sizeOf = (bytes: Uint8Array | undefined): string =>
  bytes === undefined ? "nothing" : sizeText(bytes.length);

function memberLines(old: Json | undefined, next: Json | undefined): readonly string[] {
  return editsBetween(old, next).map(({ path, value }) => {
    const was = valueAt(old, path);
    const hide = path.some((name) => secretName.test(name));
    const member = path.length === 0 ? "" : `${pathText(path)}: `;
    return `${member}${shown(was, hide)} → ${shown(value, hide)}`;
  });
}

function valueAt(whole: Json | undefined, path: MemberPath): Json | undefined {
  return path.reduce<Json | undefined>((within, name) => {
    if (Array.isArray(within)) return (within as readonly Json[])[Number(name)];
    return isObject(within) && Object.hasOwn(within, name) ? within[name] : undefined;
  }, whole);
}

function shown(value: Json | undefined, hide: boolean): string {
  if (value === undefined) return "nothing";
  if (hide || hasSecret(value)) return "(not shown)";
  return clipped(JSON.stringify(value));
}

function hasSecret(value: Json): boolean {
  if (typeof value === "string") return secretValue.test(value);
  if (typeof value !== "object" || value === null) return false;
  return Object.entries(value).some(
    ([name, member]) => secretName.test(name) || (member !== undefined && hasSecret(member as Json)),
  );
}

const clipped = (text: string): string => (text.length > longest ? `${text.slice(0, longest - 1)}…` : text);

function textLines(old = "", next = ""): readonly string[] {
  const [a, b] = [old, next].map((text) => text.split(/\r?\n/));
  if (a === undefined || b === undefined) return [];
  let start = 0;
  while (start < a.length && start < b.length && a[start] === b[start]) start++;
  let end = 0;
  while (end < a.length - start && end < b.length - start && a.at(-1 - end) === b.at(-1 - end)) end++;
  const [was, becomes] = [a.slice(start, a.length - end), b.slice(start, b.length - end)];
  if (secretValue.test(old) || secretValue.test(next))
    return [`${count(was.length)} lines → ${count(becomes.length)} lines (not shown)`];
  if (was.length > mostLines || becomes.length > mostLines)
    return [`${count(was.length)} lines → ${count(becomes.length)} lines`];
  return changedLines(was, becomes).map(([sign, line]) => {
    const secret = secretName.test(line);
    return secret ? `${sign} (a line that is not shown)` : `${sign} ${clipped(line)}`;
  });
}

/** The shortest list of lines to take out and to put in, by the longest common subsequence. */
function changedLines(a: readonly string[], b: readonly string[]): readonly (readonly ["-" | "+", string])[] {
  const width = b.length + 1;
  const lengths = new Uint16Array((a.length + 1) * width);
  const at = (i: number, j: number): number => lengths[i * width + j] ?? 0;
  for (let i = a.length - 1; i >= 0; i--)
    for (let j = b.length - 1; j >= 0; j--)
      lengths[i * width + j] = a[i] === b[j] ? at(i + 1, j + 1) + 1 : Math.max(at(i + 1, j), at(i, j + 1));
  const found: (readonly ["-" | "+", string])[] = [];
  for (let [i, j] = [0, 0]; i < a.length || j < b.length;) {
    if (i < a.length && j < b.length && a[i] === b[j]) {
      i++;
      j++;
    } else if (i < a.length && (j === b.length || at(i + 1, j) >= at(i, j + 1)))
      found.push(["-", a[i++] ?? ""]);
    else found.push(["+", b[j++] ?? ""]);
  }
  return found;
}

/** The change itself where it is one line, else how many there are. */
export const inShort = (lines: readonly string[]): string =>
  lines.length === 1 ? (lines[0] ?? "") : `${count(lines.length)} changes`;

/** At most so many lines, the last of which says how many more there are. */
export const shortened = (lines: readonly string[], most: number): readonly string[] =>
  lines.length <= most ? lines : [...lines.slice(0, most - 1), `and ${count(lines.length - most + 1)} more`];
