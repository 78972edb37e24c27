import { test } from "vitest";
import { crashPoints } from "../../src/crash-points/crash-points.ts";
import { crashRepeatedly, crashTimeoutMs, repeats } from "./fixture/crash-loop.ts";

test.each(crashPoints.filter(({ service }) => service === "sink"))(
  `SIGKILL of the $service at $name, ${repeats} times: nothing lost, nothing counted twice`,
  { timeout: crashTimeoutMs },
  crashRepeatedly,
);
