/** One server-sent event. `data` is what its JSON says, when it is JSON. */
export interface ServerSentEvent {
  readonly event: string;
  readonly data: unknown;
  readonly id?: string;
  readonly retry?: string;
}

/**
 * Events of a text in the format of the HTML standard, section 9.2.6 ("Interpreting an event stream"): lines end with
 * CR, LF or both, an empty line ends an event, comments and unknown fields are left out, an event without data is none.
 * `rest` is what stands behind the last empty line: an event that never ended.
 */
export function parseServerSent(text: string): { readonly events: ServerSentEvent[]; readonly rest: string } {
  const lines = text.replace(/^\uFEFF/, "").split(/\r\n|\n|\r/);
  const events: ServerSentEvent[] = [];
  let fields = new Map<string, string>();
  let data: string[] = [];
  let begin = 0;
  for (const [at, line] of lines.entries()) {
    if (at === lines.length - 1) break; // behind the last line end
    if (line === "") {
      if (data.length > 0) events.push(eventOf(fields, data.join("\n")));
      fields = new Map();
      data = [];
      begin = at + 1;
      continue;
    }
    const colon = line.indexOf(":");
    const name = colon === -1 ? line : line.slice(0, colon);
    const value = colon === -1 ? "" : line.slice(colon + 1).replace(/^ /, "");
    if (name === "data") data.push(value);
    else fields.set(name, value);
  }
  return { events, rest: lines.slice(begin).join("\n") };
}

function eventOf(fields: ReadonlyMap<string, string>, data: string): ServerSentEvent {
  const id = fields.get("id");
  const retry = fields.get("retry");
  return {
    event: fields.get("event") || "message",
    data: readJson(data),
    ...(id === undefined ? {} : { id }),
    ...(retry === undefined ? {} : { retry }),
  };
}

/** What a text says, when it is JSON; else the text. */
export function readJson(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return text;
  }
}
