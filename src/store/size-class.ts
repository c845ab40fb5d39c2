/**
 * Size classes of work orders: orders of one class ask for the same slots (exactly up to 15, above by powers of two)
 * and for memory within one power of two. A claim looks only at the heads of classes that can fit, so a backlog
 * that does not fit costs nothing however long it is.
 */
const memoryClasses = 64;

/** Class of an order that needs `slots` and `memory` bytes; smaller numbers need fewer slots, then less memory. */
export function sizeClass(slots: number, memory: number): number {
  return slotClass(slots) * memoryClasses + memoryClass(memory);
}

/** True when at least the smallest order of this class fits into what is free. */
export function classMayFit(sizeClassId: number, slots: number, memory: number): boolean {
  return (
    Math.floor(sizeClassId / memoryClasses) <= slotClass(slots) &&
    sizeClassId % memoryClasses <= memoryClass(memory)
  );
}

/** True when even the largest order of this class fits, so that no row of it has to be looked at twice. */
export function classSurelyFits(sizeClassId: number, slots: number, memory: number): boolean {
  const slot = Math.floor(sizeClassId / memoryClasses);
  const enoughSlots = slot < 16 ? slot <= slots : slot < slotClass(slots);
  return enoughSlots && sizeClassId % memoryClasses < memoryClass(memory);
}

/** The smallest class after `sizeClassId` that may fit: classes of the same slots with too much memory are skipped. */
export function nextClassToLookAt(sizeClassId: number, slots: number, memory: number): number {
  const next = sizeClassId + 1;
  if (classMayFit(next, slots, memory)) return next;
  return (Math.floor(sizeClassId / memoryClasses) + 1) * memoryClasses;
}

/** 0 for nothing, else 1 + floor(log2(bytes)): class c ≥ 1 holds [2^(c−1), 2^c). */
function memoryClass(memory: number): number {
  return memory < 1 ? 0 : Math.min(memoryClasses - 1, 1 + Math.floor(Math.log2(memory)));
}

/** Up to 15 the number itself, above 12 + floor(log2): class 16 holds 16 … 31. */
function slotClass(slots: number): number {
  return slots < 16 ? Math.min(15, Math.max(0, Math.ceil(slots))) : 12 + Math.floor(Math.log2(slots));
}
