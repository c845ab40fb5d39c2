/**
 * Array values as PostgreSQL reads them. Made here rather than by the driver, which asks of every element what it is:
 * a third of the time of a bulk insert.
 */
export function numberArray(values: readonly (number | null)[]): string {
  let text = "{";
  for (let index = 0; index < values.length; index++) {
    if (index > 0) text += ",";
    text += values[index] ?? "NULL";
  }
  return `${text}}`;
}

export function textArray(values: readonly (string | null)[]): string {
  let text = "{";
  for (let index = 0; index < values.length; index++) {
    const value = values[index];
    if (index > 0) text += ",";
    text += value === null || value === undefined ? "NULL" : quoted(value);
  }
  return `${text}}`;
}

const special = /["\\]/;

function quoted(value: string): string {
  return special.test(value) ? `"${value.replace(/["\\]/g, String.raw`\$&`)}"` : `"${value}"`;
}
