const suffix = ".json";
/** Longest name that common file systems take, bytes. */
const longestName = 255;
const plain = /^[A-Za-z0-9_=+@,-]$/;

/**
 * The file of a key: bytes that every file system takes as they are, others as `%` and two hex digits. A dot is kept where
 * it does not begin the name; a name of no bytes is a lone `%`.
 */
export function fileOf(key: Uint8Array): string {
  if (key.length === 0) return `%${suffix}`;
  let name = "";
  for (const [index, byte] of key.entries()) {
    const char = String.fromCharCode(byte);
    name +=
      plain.test(char) || (char === "." && index > 0)
        ? char
        : `%${byte.toString(16).padStart(2, "0").toUpperCase()}`;
  }
  return name + suffix;
}

/** The key a file stands for: also of names that were given by others; undefined when it is no row. */
export function keyOfFile(name: string): Buffer | undefined {
  if (!name.endsWith(suffix) || name.startsWith(".")) return undefined;
  const stem = name.slice(0, -suffix.length);
  if (stem === "%") return Buffer.alloc(0);
  const parts = stem.split(/(%[0-9A-Fa-f]{2})/);
  return Buffer.concat(
    parts.map((part, index) => (index % 2 === 1 ? Buffer.from(part.slice(1), "hex") : Buffer.from(part))),
  );
}

export function nameRefusal(key: Uint8Array): string | undefined {
  const length = fileOf(key).length;
  return length <= longestName
    ? undefined
    : `its file name would have ${length} bytes, file systems take ${longestName}`;
}

/** What names of folders are made of. */
export const inNames = 'letters, digits, "_", "-", "."';

/** Names of folders are those of collections; one that a file system may read otherwise is no collection. */
export const goodFolder = (name: string): boolean => /^[A-Za-z0-9_][A-Za-z0-9_.-]{0,99}$/.test(name);
