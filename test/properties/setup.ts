import fc from "fast-check";
import { givenSeed } from "./seed.ts";

fc.configureGlobal({ seed: givenSeed() });
