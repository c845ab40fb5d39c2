/** Signature, flags and length of an extension: what COPY's binary form begins with. */
export const headerBytes = 19;

/** Goes from row to row through what `COPY … TO STDOUT (FORMAT binary)` gives, message by message. */
export abstract class CopyRows {
  #begun: boolean;

  /** `header`: a COPY begins, default true. */
  constructor({ header = true }: { readonly header?: boolean } = {}) {
    this.#begun = !header;
  }

  /** Another COPY follows. */
  again(): void {
    this.#begun = false;
  }

  /** Reads one message. */
  read(data: Buffer, from: number, end: number): void {
    let at = from;
    if (!this.#begun) {
      at += headerBytes + data.readUInt32BE(at + headerBytes - 4);
      this.#begun = true;
    }
    // A count of fields below 0 is the end of the COPY.
    while (at < end && data.readInt16BE(at) >= 0) at = this.row(data, at + 2);
  }

  /** Reads the fields of one row from `from` on; returns where they end. */
  protected abstract row(data: Buffer, from: number): number;
}
