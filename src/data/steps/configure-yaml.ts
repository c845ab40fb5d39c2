import { type Document, isCollection, isMap, isScalar, parseDocument, stringify } from "yaml";
import { CutoverError, type Json } from "../../core/index.ts";
import { type Edit, type MemberPath, pathText } from "./configure-path.ts";

/** @throws CUTOVER_DATA_FORMAT */
export function readYaml(text: string, place: string): Json | undefined {
  const document = parsed(text, place, false);
  if (document.contents === null) return undefined;
  const value: unknown = document.toJS();
  try {
    // Dates and whatever else YAML knows beside JSON become what JSON makes of them.
    return JSON.parse(JSON.stringify(value)) as Json;
  } catch (error) {
    throw unreadable(place, 1, `what it says cannot be written as JSON: ${String(error)}`);
  }
}

/** The text with edits made in their order; comments stay. @throws CUTOVER_DATA_FORMAT, CUTOVER_DATA_OPTIONS */
export function editYaml(text: string, edits: readonly Edit[], place: string): string {
  return edits.reduce((now, edit) => editedOnce(now, edit, place), text);
}

export const writeYaml = (value: Json): string => stringify(value, { lineWidth: 0 });

function editedOnce(text: string, { path, value }: Edit, place: string): string {
  const document = parsed(text, place, true);
  const keys = keysOf(document, path);
  try {
    const there: unknown = document.getIn(keys, true);
    if (value === undefined) {
      if (there === undefined) return text;
      document.deleteIn(keys);
    } else {
      const slice = isScalar(there) ? scalarIn(text, there, value) : undefined;
      // A plain value is put where the old one stood: nothing else of the text changes.
      if (slice !== undefined) return slice;
      if (keys.length === 0) document.contents = document.createNode(value) as typeof document.contents;
      else document.setIn(keys, document.createNode(value));
    }
  } catch (error) {
    throw new CutoverError("CUTOVER_DATA_OPTIONS", {
      message: `expected "${pathText(path)}" to be a member that can be changed: ${String(error)}`,
      place,
      remedy: "set what stands there itself, or name another member",
      cause: error,
    });
  }
  const indent = /^( +)\S/m.exec(text)?.[1]?.length ?? 2;
  const sequence = /^(\s*)[^\s#-][^#\n]*:[ \t]*\n\1- /m.test(text);
  const next = document.toString({ lineWidth: 0, indent, indentSeq: !sequence });
  return text.includes("\r\n") ? next.replaceAll(/\r?\n/g, "\r\n") : next;
}

/** Keys as they stand there, where a number or a truth value is one. */
function keysOf(document: Document, path: MemberPath): unknown[] {
  let node: unknown = document.contents;
  return path.map((name) => {
    if (!isMap(node)) {
      node = isCollection(node) ? node.get(Number(name), true) : undefined;
      return /^\d+$/.test(name) && node !== undefined ? Number(name) : name;
    }
    const pair = node.items.find(({ key }) => String(isScalar(key) ? key.value : key) === name);
    node = pair?.value;
    return pair === undefined ? name : isScalar(pair.key) ? pair.key.value : pair.key;
  });
}

function scalarIn(text: string, node: unknown, value: Json): string | undefined {
  if (!isScalar(node) || (typeof value === "object" && value !== null)) return undefined;
  const { range, type, tag, anchor } = node;
  const flow = type === "PLAIN" || type === "QUOTE_SINGLE" || type === "QUOTE_DOUBLE";
  if (!range || !flow || tag !== undefined || anchor !== undefined || range[0] === range[1]) return undefined;
  const defaultStringType = typeof value === "string" && type !== "PLAIN" ? type : "PLAIN";
  const made = stringify(value, { lineWidth: 0, defaultStringType }).trimEnd();
  if (made.includes("\n")) return undefined;
  return text.slice(0, range[0]) + made + text.slice(range[1]);
}

function parsed(text: string, place: string, intAsBigInt: boolean): ReturnType<typeof parseDocument> {
  const document = parseDocument(text, { intAsBigInt, prettyErrors: true });
  const [error] = document.errors;
  if (error === undefined) return document;
  throw unreadable(place, error.linePos?.[0].line ?? 1, error.message.split("\n")[0] ?? error.message);
}

function unreadable(place: string, line: number, why: string): CutoverError {
  return new CutoverError("CUTOVER_DATA_FORMAT", {
    message: `expected one document of YAML: ${why}`,
    place: `${place}:${line}`,
    remedy: 'correct the file, or say which format it has, e.g. format: "text"',
  });
}
