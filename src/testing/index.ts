export { setFaultHandler as onFaultPoint } from "../core/index.ts";
export { ManualClock } from "./manual-clock.ts";
export { type ContractTools, storeContract } from "./store-contract.ts";
