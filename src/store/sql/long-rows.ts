import { mostInCommit } from "../orders/weight.ts";

/** Of rows in this order, how long those before each are: SQL. How long a stored text is is known without reading it. */
export const bytesBefore = (text: string, order: string): string =>
  `coalesce(sum(octet_length(${text})) OVER (ORDER BY ${order} ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING), 0)`;

/** Which of them are read, as a condition: as many as go into one commit, and one at least. */
export const atOnce: string = `before < ${mostInCommit}`;
