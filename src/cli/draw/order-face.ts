import type { OrderState } from "../../store/index.ts";
import type { Tone } from "./line.ts";

interface OrderFace {
  readonly mark: string;
  readonly word: string;
  readonly tone: Tone;
}

/** How each state of an order looks: a mark of its own, so that colour is never the only carrier. */
export const orderFaces: Readonly<Record<OrderState, OrderFace>> = {
  PENDING: { mark: "○", word: "pending", tone: "quiet" },
  PREPARING: { mark: "◔", word: "preparing", tone: "busy" },
  RUNNING: { mark: "●", word: "running", tone: "busy" },
  WAITING_RETRY: { mark: "◐", word: "waiting retry", tone: "wait" },
  COMPLETED: { mark: "✔", word: "completed", tone: "good" },
  FAILED: { mark: "✖", word: "failed", tone: "bad" },
  CANCELLED: { mark: "⊘", word: "cancelled", tone: "quiet" },
};

/** In the order of an order's life; also the order in which they are listed. */
export const orderStateNames: readonly OrderState[] = [
  "PENDING",
  "PREPARING",
  "RUNNING",
  "WAITING_RETRY",
  "COMPLETED",
  "FAILED",
  "CANCELLED",
];
