import type { Digest, Range } from "../../connector.ts";
import type { HashedRows, RangeSums, SumOptions } from "../../range-sums.ts";
import { signatureSql } from "./catalog.ts";
import { type HashForm, hashedRows, hashForm } from "./hash-form.ts";
import { KeyHashReader } from "./key-hash-reader.ts";
import { dataError } from "./postgres-error.ts";
import type { Session } from "./session.ts";
import { keyColumns, keyTexts, literal, orderBy, quoted, readFrom, type Shape, within } from "./shape.ts";

/** Ranges of one table at most: their bounds are in memory. */
const mostRanges = 65_536;
/** Rows of a block of 8 KiB in a table without statistics. */
const usualDensity = 50;
/** How much the order of keys must be that on the disk for a table that is larger than memory: else each row is a read of its own. */
const orderly = 0.9;

/** One range after the other by the index of the key, in the order of the key. */
const plans = ["seqscan", "bitmapscan", "hashjoin", "mergejoin", "material", "memoize"]
  .map((way) => `SET LOCAL enable_${way} = off`)
  .join("; ");

interface About {
  readonly form: HashForm;
  readonly rows: number;
  readonly blocks: number;
  readonly rowBytes: number;
}

/** Sums of a table by its server, in one snapshot. The session is its own from then on. */
export class TableSums implements RangeSums {
  readonly #session: Session;
  readonly #shape: Shape;
  readonly #store: string;
  readonly #seed: bigint;
  readonly #about: About;
  readonly #signal: AbortSignal | undefined;
  readonly #stop: () => void;

  private constructor(
    session: Session,
    shape: Shape,
    about: About,
    store: string,
    { seed, signal }: SumOptions,
  ) {
    this.#session = session;
    this.#shape = shape;
    this.#store = store;
    this.#seed = seed;
    this.#about = about;
    this.#signal = signal;
    this.#stop = () => session.destroy("the comparison was stopped");
    signal?.addEventListener("abort", this.#stop, { once: true });
  }

  /** Undefined, and the session ended, when rows had better be read. @throws what the driver throws */
  static async open(
    session: Session,
    shape: Shape,
    store: string,
    options: SumOptions,
  ): Promise<TableSums | undefined> {
    try {
      const about = summable(shape) ? await look(session, shape) : undefined;
      if (about !== undefined) return new TableSums(session, shape, about, store, options);
    } catch (error) {
      session.destroy("it could not be looked at");
      throw error;
    }
    session.destroy("rows are read instead");
    return undefined;
  }

  get form(): string {
    return this.#about.form.name;
  }

  get rowBytes(): number {
    return this.#about.rowBytes;
  }

  async bounds(rows: number): Promise<readonly Uint8Array[]> {
    const { rows: all, blocks } = this.#about;
    const wanted = Math.min(mostRanges, Math.ceil(all / rows)) - 1;
    if (wanted < 1 || blocks < 1) return [];
    // About one row of each block that is looked at: those of one block may be neighbours.
    const part = Math.min(1, wanted / blocks);
    const columns = keyColumns(this.#shape).map(({ name }) => quoted(name));
    const found = new KeyHashReader(this.#shape);
    await this.#run(() =>
      this.#session.receive(
        `COPY (SELECT ${columns.join(", ")}, 0::int8 FROM ${readFrom(this.#shape)} TABLESAMPLE SYSTEM (${100 * part})
          WHERE random() < ${wanted / (all * part)} ORDER BY ${orderBy(this.#shape)}) TO STDOUT (FORMAT binary)`,
        (data, at, end) => found.read(data, at, end),
      ),
    );
    return Array.from({ length: found.count }, (_, at) => found.key(at));
  }

  async sums(ranges: readonly Range[]): Promise<readonly Digest[]> {
    const found: Digest[] = [];
    for (const part of this.#statements(ranges)) {
      const sums = `SELECT count(*) AS c, sum(k) AS k, sum(h) AS h FROM (${part.rows}) AS hashed`;
      const [row] = await this.#run(() =>
        this.#session.query(
          `SELECT string_agg(concat_ws(',', c, coalesce(k, 0), coalesce(h, 0)), ';' ORDER BY n) AS sums FROM ${part.from(sums)}`,
        ),
      );
      for (const text of (row?.["sums"] ?? "").split(";")) {
        const [count, keys, rows] = text.split(",");
        found.push({ count: Number(count), keys: wrapped(keys), rows: wrapped(rows) });
      }
    }
    return found;
  }

  async hashes(ranges: readonly Range[]): Promise<HashedRows> {
    const reader = new KeyHashReader(this.#shape);
    const columns = keyColumns(this.#shape).map((_, at) => `p${at}`);
    for (const part of this.#statements(ranges)) {
      const sql = part.from(`${part.rows}`);
      await this.#run(() =>
        this.#session.receive(
          `COPY (SELECT ${columns.join(", ")}, h FROM ${sql}) TO STDOUT (FORMAT binary)`,
          (data, at, end) => reader.read(data, at, end),
        ),
      );
      reader.again();
    }
    return reader;
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.#signal?.removeEventListener("abort", this.#stop);
    this.#session.destroy("the comparison is over");
    return Promise.resolve();
  }

  /** Ranges with both ends go in one statement, side by side; those that are open each in one. In the order of the ranges. */
  *#statements(
    ranges: readonly Range[],
  ): Generator<{ readonly rows: string; readonly from: (body: string) => string }> {
    const columns = keyColumns(this.#shape);
    // By the table's name: a column may be called as what is made of it.
    const order = columns.map(({ name }) => `t.${quoted(name)}`).join(", ");
    const from = `${readFrom(this.#shape)} AS t`;
    const rowsOf = (where: string): string =>
      hashedRows(this.#about.form, this.#shape, this.#seed, `${from} WHERE ${where} ORDER BY ${order}`);
    const bound = (letter: string): string =>
      columns.map(({ kind, cast }, at) => `r.${letter}${at}::${kind === "text" ? "text" : cast}`).join(", ");
    for (let at = 0; at < ranges.length;) {
      const { after, upTo } = ranges[at] as Range;
      if (after === undefined || upTo === undefined) {
        const where = within(this.#shape, ranges[at] as Range, this.#store);
        yield {
          rows: rowsOf(where),
          from: (body) => `(SELECT 1 AS n) AS r CROSS JOIN LATERAL (${body}) AS s`,
        };
        at++;
        continue;
      }
      const both: { readonly from: readonly string[]; readonly to: readonly string[] }[] = [];
      let last: { readonly key: Uint8Array; readonly texts: readonly string[] } | undefined;
      for (; at < ranges.length; at++) {
        const range = ranges[at] as Range;
        if (range.after === undefined || range.upTo === undefined) break;
        // Most ranges begin where the one before ends.
        const from = range.after === last?.key ? last.texts : keyTexts(this.#shape, range.after, this.#store);
        const to = keyTexts(this.#shape, range.upTo, this.#store);
        both.push({ from, to });
        last = { key: range.upTo, texts: to };
      }
      const lists = [
        ...columns.map((_, column) => textArray(both.map(({ from }) => from[column] as string))),
        ...columns.map((_, column) => textArray(both.map(({ to }) => to[column] as string))),
      ];
      const names = [
        ...columns.map((_, column) => `a${column}`),
        ...columns.map((_, column) => `b${column}`),
      ];
      const list = `unnest(${lists.join(", ")}) WITH ORDINALITY AS r(${names.join(", ")}, n)`;
      yield {
        rows: rowsOf(`(${order}) > (${bound("a")}) AND (${order}) <= (${bound("b")})`),
        from: (body) => `${list} CROSS JOIN LATERAL (${body}) AS s`,
      };
    }
  }

  async #run<T>(body: () => Promise<T>): Promise<T> {
    try {
      this.#signal?.throwIfAborted();
      return await body();
    } catch (error) {
      this.#signal?.throwIfAborted();
      throw dataError(error, this.#store);
    }
  }
}

/** The index of the key has to be in the order of the key's bytes. */
function summable(shape: Shape): boolean {
  return keyColumns(shape).every(({ collated, kind }) => !collated && kind !== "padded");
}

/** Begins the snapshot, and looks what the table is. Undefined when its ranges are no bargain, or it is another one by now. */
async function look(session: Session, shape: Shape): Promise<About | undefined> {
  const { oid, partitioned } = shape;
  const parts = partitioned
    ? `SELECT relid::oid AS oid FROM pg_partition_tree(${oid}) WHERE isleaf`
    : `SELECT ${oid}::oid AS oid`;
  const [first] = keyColumns(shape);
  const [row] = await session.query(`BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; ${plans};
    SELECT ${signatureSql(String(oid))} AS signature, current_setting('server_encoding') AS encoding,
      to_regprocedure('pg_catalog.hashbyteaextended(bytea,bigint)') IS NOT NULL AS bytes_hash,
      current_setting('block_size')::int8 AS block, sum(pg_relation_size(c.oid))::int8 AS bytes,
      sum(CASE WHEN c.relpages > 0 AND c.reltuples >= 0 THEN c.reltuples / c.relpages ELSE ${usualDensity} END
        * (pg_relation_size(c.oid) / current_setting('block_size')::int8))::float8 AS rows,
      pg_size_bytes(current_setting('effective_cache_size')) AS cache,
      (SELECT min(abs(s.correlation)) FROM pg_stats s WHERE s.schemaname = ${literal(shape.schema)}
        AND s.tablename = ${literal(shape.table)} AND s.attname = ${literal(first?.name ?? "")} AND NOT s.inherited) AS correlation
    FROM (${parts}) AS p JOIN pg_class c ON c.oid = p.oid`);
  const number = (name: string): number => Number(row?.[name] ?? 0);
  const form = hashForm(shape, { encoding: row?.["encoding"] ?? "", ofBytes: row?.["bytes_hash"] === "t" });
  const inMemory = number("bytes") <= number("cache");
  if (form === undefined || row?.["signature"] !== shape.signature) return undefined;
  if (!inMemory && number("correlation") < orderly) return undefined;
  const rows = Math.round(number("rows"));
  return {
    form,
    rows,
    blocks: number("bytes") / number("block"),
    rowBytes: rows === 0 ? 0 : Math.ceil((shape.collection.bytes ?? number("bytes")) / rows),
  };
}

const wrapped = (sum: string | undefined): bigint => BigInt.asUintN(64, BigInt(sum ?? "0"));

function textArray(texts: readonly string[]): string {
  const elements = texts.map((text) => `"${text.replaceAll("\\", "\\\\").replaceAll('"', '\\"')}"`);
  return `${literal(`{${elements.join(",")}}`)}::text[]`;
}
