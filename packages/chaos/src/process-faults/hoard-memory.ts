import { subscribe } from "node:diagnostics_channel";

/**
 * Loaded into a service by `node --import`: it keeps 2 MiB of heap at every step that `HOARD_AT` names a channel of, so
 * that it runs out of memory at its work and somewhere else each time.
 */
const numbersPerStep = (2 * 2 ** 20) / 8;
const hoard: number[][] = [];
subscribe(process.env["HOARD_AT"] ?? "", () => {
  // Fractions: small integers would be stored in half of the space.
  hoard.push(Array.from({ length: numbersPerStep }, (_unused, index) => index + 0.5));
});
