/** What a document is made of, whichever notation it came in. Lines count from 1; texts still hold their inline markup. */
export type Block = Heading | Paragraph | List | Table | Fence | Markup | Rule;

interface Lines {
  readonly line: number;
  readonly endLine: number;
}

export interface Heading extends Lines {
  readonly type: "heading";
  readonly level: number;
  readonly raw: string;
}

/** `rows[i]` stands on line `line + i`. */
export interface Paragraph extends Lines {
  readonly type: "paragraph";
  readonly rows: readonly string[];
  readonly quoted: boolean;
}

export interface List extends Lines {
  readonly type: "list";
  readonly ordered: boolean;
  readonly items: readonly Item[];
}

export interface Item extends Lines {
  /** As written, for ordered lists. */
  readonly number?: string;
  readonly blocks: readonly Block[];
}

export interface Table extends Lines {
  readonly type: "table";
  readonly header: readonly string[];
  readonly rows: readonly { readonly line: number; readonly cells: readonly string[] }[];
}

/** Literal text: `rows[i]` stands on line `first + i`. Without fences (indented code) `fenced` is false. */
export interface Fence extends Lines {
  readonly type: "fence";
  readonly language: string;
  readonly rows: readonly string[];
  readonly first: number;
  readonly fenced: boolean;
  readonly closed: boolean;
}

export interface Markup extends Lines {
  readonly type: "markup";
}

export interface Rule extends Lines {
  readonly type: "rule";
}
