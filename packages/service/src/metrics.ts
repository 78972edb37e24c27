/** The classes of metrics, for packages that register some: which client they come from is settled here alone. */
export { Counter, Gauge, Histogram, Registry } from "prom-client";
