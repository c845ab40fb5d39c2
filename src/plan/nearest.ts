export { nameOneOf, nearest } from "../core/index.ts";
