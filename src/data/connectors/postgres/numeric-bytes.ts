const signs = { plus: 0x0000, minus: 0x4000, nan: 0xc000, infinity: 0xd000, minusInfinity: 0xf000 } as const;

/**
 * A `numeric` in the form that COPY takes: number of digits of base 10,000, weight of the first, sign, digits after the point,
 * digits. Undefined for a text that PostgreSQL does not write.
 */
export function numericBytes(text: string): Buffer | undefined {
  if (text === "NaN") return header(0, 0, signs.nan, 0, 0);
  if (text === "Infinity") return header(0, 0, signs.infinity, 0, 0);
  if (text === "-Infinity") return header(0, 0, signs.minusInfinity, 0, 0);
  const parts = /^(-?)(\d+)(?:\.(\d+))?$/.exec(text);
  if (parts === null) return undefined;
  const [, sign, whole = "", fraction = ""] = parts;
  // Groups of four around the point.
  const left = whole.padStart(Math.ceil(whole.length / 4) * 4, "0");
  const all = left + fraction.padEnd(Math.ceil(fraction.length / 4) * 4, "0");
  let first = 0;
  while (first < all.length && all.startsWith("0000", first)) first += 4;
  let last = all.length;
  while (last > first && all.startsWith("0000", last - 4)) last -= 4;
  const count = (last - first) / 4;
  const weight = count === 0 ? 0 : left.length / 4 - 1 - first / 4;
  if (count > 32_767 || weight > 32_767 || weight < -32_768 || fraction.length > 16_383) return undefined;
  const bytes = header(
    count,
    weight,
    sign === "-" && count > 0 ? signs.minus : signs.plus,
    fraction.length,
    count,
  );
  for (let digit = 0; digit < count; digit++)
    bytes.writeUInt16BE(Number(all.slice(first + digit * 4, first + digit * 4 + 4)), 8 + digit * 2);
  return bytes;
}

function header(count: number, weight: number, sign: number, scale: number, digits: number): Buffer {
  const bytes = Buffer.allocUnsafe(8 + digits * 2);
  bytes.writeUInt16BE(count, 0);
  bytes.writeInt16BE(weight, 2);
  bytes.writeUInt16BE(sign, 4);
  bytes.writeUInt16BE(scale, 6);
  return bytes;
}
