/** What COPY's text form writes for bytes that would end a field or a line: a backslash and a letter. */
const escapes: Readonly<Record<number, number>> = { 98: 8, 102: 12, 110: 10, 114: 13, 116: 9, 118: 11 };
const [tab, backslash, capitalN] = [0x09, 0x5c, 0x4e];

/** The first `count` fields of a line of COPY's text form, which ends before `end`; null for NULL. */
export function lineFields(data: Buffer, from: number, end: number, count: number): (Buffer | null)[] {
  const fields: (Buffer | null)[] = [];
  let start = from;
  let escaped = false;
  for (let at = from; fields.length < count && at <= end; at++) {
    if (at < end && data[at] !== tab) {
      // What follows a backslash is no tab.
      if (data[at] === backslash) escaped = true;
      continue;
    }
    const isNull = escaped && at - start === 2 && data[start + 1] === capitalN;
    fields.push(isNull ? null : escaped ? unescaped(data, start, at) : data.subarray(start, at));
    start = at + 1;
    escaped = false;
  }
  return fields;
}

function unescaped(data: Buffer, from: number, end: number): Buffer {
  const out = Buffer.allocUnsafe(end - from);
  let length = 0;
  for (let at = from; at < end; at++) {
    let byte = data[at] as number;
    if (byte === backslash) {
      byte = data[++at] as number;
      byte = escapes[byte] ?? byte;
    }
    out[length++] = byte;
  }
  return out.subarray(0, length);
}
