import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { startMeasured } from "../src/measured-process.ts";
import { throughputOptions } from "../src/throughput-options.ts";

test("a process that another command starts reports what it used", async () => {
  const folder = await mkdtemp(join(tmpdir(), "adstream-measured-"));
  onTestFinished(() => rm(folder, { recursive: true }));
  const program = join(folder, "program.mjs");
  await writeFile(program, `process.send(process.env.HELD ?? "free", () => process.disconnect());`);
  const said: unknown[] = [];
  const { under } = throughputOptions(["--under", " env  HELD=yes "]);
  const { usage } = startMeasured({
    program,
    environment: {},
    under,
    onMessage: (message) => said.push(message),
  });
  const { cpuMs, peakRssMiB } = await usage;
  expect(said).toEqual(["yes"]);
  expect(cpuMs).toBeGreaterThan(0);
  expect(peakRssMiB).toBeGreaterThan(1);
});

test("a process is told to stop once, however often it is stopped", async () => {
  const folder = await mkdtemp(join(tmpdir(), "adstream-measured-"));
  onTestFinished(() => rm(folder, { recursive: true }));
  const program = join(folder, "program.mjs");
  const text = `
    process.once("SIGTERM", () => {
      process.once("SIGTERM", () => process.exit(1));
      process.send("stopping");
      setTimeout(() => process.exit(0), 200);
    });
    setTimeout(() => process.exit(2), 20_000);
    process.send("ready");`;
  await writeFile(program, text);
  const measured = startMeasured({
    program,
    environment: {},
    onMessage: () => {
      measured.stop();
    },
  });
  await expect(measured.usage).resolves.toHaveProperty("cpuMs");
});

test("a command that is not there is named", async () => {
  const { usage } = startMeasured({
    program: "nothing.ts",
    environment: {},
    under: ["adstream-no-such-command"],
    onMessage: () => undefined,
  });
  await expect(usage).rejects.toThrow("adstream-no-such-command");
});
