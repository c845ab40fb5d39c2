export { setFaultHandler as onFaultPoint } from "../core/index.ts";
export { ManualClock } from "./manual-clock.ts";
export { type CallersTransaction, type ContractTools, storeContract, type Tamper } from "./store-contract.ts";
export { type ConnectorSubject, connectorContract, type OpenTransaction } from "./connector-contract.ts";
export { switchContract, type SwitchSubject } from "./switch-contract.ts";
