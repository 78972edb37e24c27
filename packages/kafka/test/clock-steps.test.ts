import { expect, test } from "vitest";
import { clockSteps } from "../src/clock-steps.ts";

const dayMs = 86_400_000;

/** Clocks of a host, and what a check finds after the wall clock was moved by so much. */
function host(): { readonly check: () => void; readonly after: (wallMs: number) => () => void } {
  const time = { now: 5, wall: 1_800_000_000_000 };
  const check = clockSteps({ nowMs: () => time.now, wallMs: () => time.wall });
  const after = (wallMs: number) => (): void => {
    time.now += 100;
    time.wall += 100 + wallMs;
    check();
  };
  return { check, after };
}

test("a clock set back by a day stops the source, and says so in one line", () => {
  const { after } = host();
  expect(after(0)).not.toThrow();
  expect(after(-dayMs)).toThrow(
    expect.objectContaining({
      code: "CLOCK_STEPPED_BACK",
      disposition: "stop",
      exitCode: 70,
      message: expect.stringMatching(
        /^the clock of this host was set back by 86400 s, .*start again$/,
      ),
    }),
  );
});

test("a day ahead is no matter, the way back from it is", () => {
  const { after } = host();
  expect(after(dayMs)).not.toThrow();
  expect(after(0)).not.toThrow();
  expect(after(-dayMs)).toThrow("set back");
});

test("steps that a session survives, and a clock that is slowed down, are passed over", () => {
  const { after } = host();
  expect(after(-3_000)).not.toThrow();
  for (let fetch = 0; fetch < 1_000; fetch++) expect(after(-50)).not.toThrow();
});
