import { expect, test } from "vitest";
import { shownAddress } from "./open-address.ts";

test.each([
  ["postgres://ann:hunter2@host:5432/shop", "postgres://…@host:5432/shop"],
  ["postgresql://ann@host/shop?schema=a", "postgresql://…@host/shop?schema=a"],
  ["postgres://ann:hun@ter2@host/shop", "postgres://…@host/shop"],
  ["postgres://ann:hun/ter2@host/shop", "postgres://…@host/shop"],
  ["postgres://host/shop?password=hunter2&schema=a", "postgres://host/shop?password=…&schema=a"],
  [
    "postgres://host/shop?schema=a&user=ann&Password=hunter2",
    "postgres://host/shop?schema=a&user=…&Password=…",
  ],
  ["leveldb:data/a@b", "leveldb:data/a@b"],
  ["door:desk.sock#old", "door:desk.sock#old"],
])("%s is shown as %s: no part of a password is told", (address, shown) => {
  expect(shownAddress(address)).toBe(shown);
});
