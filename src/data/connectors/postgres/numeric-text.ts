/** A `numeric` in COPY's binary form as the text that PostgreSQL writes: see `numericBytes` for what the bytes are. */
export function numericText(data: Buffer, at: number): string {
  const count = data.readUInt16BE(at);
  const weight = data.readInt16BE(at + 2);
  const sign = data.readUInt16BE(at + 4);
  const scale = data.readUInt16BE(at + 6);
  if (sign === 0xc000) return "NaN";
  if (sign === 0xd000) return "Infinity";
  if (sign === 0xf000) return "-Infinity";
  const digit = (place: number): number =>
    place >= 0 && place < count ? data.readUInt16BE(at + 8 + 2 * place) : 0;
  let text = sign === 0x4000 ? "-" : "";
  if (weight < 0) text += "0";
  else {
    text += String(digit(0));
    for (let place = 1; place <= weight; place++) text += fourOf(digit(place));
  }
  if (scale === 0) return text;
  let fraction = "";
  for (let place = weight + 1; fraction.length < scale; place++) fraction += fourOf(digit(place));
  return `${text}.${fraction.slice(0, scale)}`;
}

/** No text of it is longer than this. */
export function numericTextLength(data: Buffer, at: number): number {
  return 4 * Math.max(1, data.readInt16BE(at + 2) + 1) + data.readUInt16BE(at + 6) + 12;
}

const fourOf = (digit: number): string =>
  digit > 999 ? String(digit) : digit > 99 ? `0${digit}` : digit > 9 ? `00${digit}` : `000${digit}`;
