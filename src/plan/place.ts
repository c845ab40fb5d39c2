// The rooms that make steps mark places too and must not load this one to do so: the words live in core.
export { keepPlace, markPlace, placeOf } from "../core/index.ts";
