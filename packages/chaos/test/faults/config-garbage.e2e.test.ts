import { spawn } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, test } from "vitest";
import { garbageEnvironment, secretCanary } from "./fixture/garbage.ts";

const root = fileURLToPath(new URL("../../../../", import.meta.url));
const sets = Number(process.env["CONFIG_SETS"] ?? "10000");
/** Each starts a process; the rest is tried within this one. */
const started = Number(process.env["CONFIG_PROCESSES"] ?? "2");

const services = ["producer", "processor", "sink"];
const programs: readonly (readonly [string, readonly string[]])[] = [
  ...services.map((name) => [`packages/${name}/src/main.ts`, []] as const),
  ["scripts/topics.ts", ["create"]],
  ["scripts/dlq.ts", ["list"]],
  ["scripts/checkpoints.ts", ["list"]],
  ["packages/verify/src/main.ts", []],
];

let directory = "";
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "adstream-garbage-"));
});
afterAll(() => rm(directory, { recursive: true, force: true }));

test.each(services)(
  `Config garbage: of ${sets} random environments %s refuses or takes each, and quotes no secret`,
  async (service) => {
    const { environment } = await import(join(root, `packages/${service}/src/config.ts`));
    const { readEnvironment } = await import(join(root, "packages/service/src/environment.ts"));
    const names = Object.keys(environment.shape);
    let refused = 0;
    for (let seed = 0; seed < sets; seed++) {
      const env = garbageEnvironment(names, seed);
      try {
        readEnvironment(environment, { env, file: null });
      } catch (error) {
        refused++;
        expect(error, JSON.stringify(env)).toMatchObject({ name: "ConfigError", exitCode: 64 });
        const said: unknown = Reflect.get(Object(error), "problems");
        const lines = Array.isArray(said) ? said.map(String) : [];
        expect(lines.length).toBeGreaterThan(0);
        for (const line of lines) {
          expect(line, JSON.stringify(env)).not.toMatch(/[\r\n]|\bat \S+:\d+:\d+/);
          expect(line).not.toContain(secretCanary);
        }
      }
    }
    // Neither a test of the refusal alone nor of the acceptance alone.
    expect(refused).toBeGreaterThan(sets / 2);
    expect(refused).toBeLessThan(sets);
  },
);

test.each(programs)(
  `Config garbage: %s as a process ends with 64 and its reasons, without a stack and without a secret`,
  async (program, args) => {
    for (let seed = 0; seed < started; seed++) {
      const env = {
        ...garbageEnvironment(["KAFKA_BROKERS", "LOG_LEVEL"], seed),
        ...wrong[seed % 4],
      };
      const { code, said } = await run(program, args, env);
      expect([code, said, env]).toEqual([64, expect.stringContaining("adstream"), env]);
      expect(said).not.toMatch(/^\s+at /m);
      expect(said).not.toContain(secretCanary);
      expect(said.trim().split("\n").length).toBeLessThanOrEqual(6);
    }
  },
);

/** Wrong for every program, each in its own way, with a secret that must not come out. */
const wrong: readonly Readonly<Record<string, string>>[] = [
  { KAFKA_BROKERS: "not a broker" },
  { KAFKA_SECURITY_PROTOCOL: "SASL_SSL", KAFKA_SASL_PASSWORD: secretCanary },
  { KAFKA_BROKERS: "b:1", KAFKA_SASL_USERNAME: "u", KAFKA_SASL_PASSWORD_FILE: "/nowhere/at/all" },
  { KAFKA_BROKERS: "b:0", KAFKA_SASL_PASSWORD: secretCanary },
];

async function run(
  program: string,
  args: readonly string[],
  env: Readonly<Record<string, string>>,
): Promise<{ code: number | null; said: string }> {
  const child = spawn(process.execPath, [join(root, program), ...args], {
    cwd: directory,
    env: { PATH: process.env["PATH"], ...env },
    stdio: ["ignore", "pipe", "pipe"],
    timeout: 20_000,
  });
  let said = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream.on("data", (chunk) => (said += String(chunk)));
  }
  const code = await new Promise<number | null>((resolve) => child.once("close", resolve));
  return { code, said };
}
