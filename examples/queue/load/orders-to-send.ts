import { randomBytes } from "node:crypto";

/** The body of one `POST /work-orders`. */
export interface OrderToSend {
  readonly id: string;
  readonly [field: string]: unknown;
}

/** Of a hundred orders: what kind of agent they ask for. The rest are `coder`. */
const mix: Readonly<Record<string, number>> = {
  reviewer: 24,
  archiver: 20,
  fixer: 4,
  tester: 4,
  crawler: 1,
  family: 2,
};

/**
 * An endless row of orders. Every kind comes early and evenly; ids are sequential and random in turn. A parent comes
 * after its children, so that a client that dies in between leaves no parent that waits for ever.
 */
export function* ordersToSend(run: string): Generator<OrderToSend> {
  for (let number = 1; ; number++) {
    const id =
      number % 2 === 0 ? `${run}-${String(number).padStart(6, "0")}` : randomBytes(9).toString("base64url");
    const kind = kindOf(number);
    if (kind === "family") yield* family(id, number);
    else yield order(id, kind, number);
  }
}

function* family(id: string, number: number): Generator<OrderToSend> {
  const childIds = [`${id}_0`, `${id}_1`];
  for (const [siblingIndex, childId] of childIds.entries())
    yield { ...order(childId, "coder", number), parentId: id, rootId: id, siblingIndex, depth: 1 };
  yield { ...order(id, "planner", number), childIds };
}

function order(id: string, agentType: string, number: number): OrderToSend {
  return {
    id,
    agentType,
    taskPrompt: `${prompts[number % prompts.length]} (${number})`,
    maxIterations: 3,
    // A crawler never comes back: it is the limit that ends it.
    maxWallClockSeconds: agentType === "crawler" ? 0.15 : 30,
    priority: 20,
  };
}

/** Spreads the mix evenly: 37 and 100 have no common divisor. */
function kindOf(number: number): string {
  let place = (number * 37) % 100;
  for (const [kind, count] of Object.entries(mix)) {
    if (place < count) return kind;
    place -= count;
  }
  return "coder";
}

const prompts = [
  "Fix the flaky login test",
  "Port the CSV import to streams",
  "Übersetze die Fehlermeldungen (äöü, 日本語, 🚀)",
  "Make the backup job resumable",
  "Upgrade the logger and keep its output format",
];
