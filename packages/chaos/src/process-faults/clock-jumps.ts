import { subscribe, unsubscribe } from "node:diagnostics_channel";

/**
 * Loaded into a service by `node --import`: its wall clock is moved as `CLOCK_JUMPS` says, "0:86400000,900:-86400000"
 * for a day ahead at once and a day behind 900 ms later; counted from the first announcement on the channel
 * `CLOCK_JUMPS_FROM` where that is set. Monotonic time goes on as ever, as it does when NTP or a person sets the clock
 * of a host.
 */
const realNow = Date.now;
let shiftMs = 0;

Date.now = () => realNow() + shiftMs;
globalThis.Date = new Proxy(Date, {
  construct: (target, args): Date =>
    Reflect.construct(target, args.length > 0 ? args : [Date.now()]),
});

const jumps = (process.env["CLOCK_JUMPS"] ?? "").split(",").map((jump) => {
  const [afterMs = Number.NaN, byMs = Number.NaN] = jump.split(":").map(Number);
  if (!Number.isFinite(afterMs + byMs)) throw new Error(`CLOCK_JUMPS holds no jump: ${jump}`);
  return { afterMs, byMs };
});

function begin(): void {
  for (const { afterMs, byMs } of jumps) {
    if (afterMs === 0) shiftMs = byMs;
    else setTimeout(() => (shiftMs = byMs), afterMs).unref();
  }
}

const from = process.env["CLOCK_JUMPS_FROM"];
if (from === undefined) begin();
else {
  const once = (): void => {
    unsubscribe(from, once);
    begin();
  };
  subscribe(from, once);
}
