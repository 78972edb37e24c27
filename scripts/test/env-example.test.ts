import { readFileSync } from "node:fs";
import { join } from "node:path";
import { defaultTopics } from "@adstream/contracts/topics";
import { topicsEnvironment } from "@adstream/service/environment";
import { Secret } from "@adstream/service/secret";
import { expect, test } from "vitest";
import { z } from "zod";
import { environment as topics } from "../topics/run-topics.ts";

const root = join(import.meta.dirname, "../..");
const services = ["producer", "processor", "sink", "verify"];

async function schemas(): Promise<Map<string, z.ZodObject>> {
  const found = new Map<string, z.ZodObject>([["topics", topics]]);
  for (const service of services) {
    const path = join(root, "packages", service, "src/config.ts");
    const config: { environment: z.ZodObject } = await import(path);
    found.set(service, config.environment);
  }
  return found;
}

/** Names and values of the example, commented out or not. */
function examples(): Map<string, string> {
  const text = readFileSync(join(root, ".env.example"), "utf8");
  const lines = [...text.matchAll(/^(?:# )?([A-Z][A-Z0-9_]*)=(.*)$/gm)];
  const names = lines.map(([, name = ""]) => name);
  expect(names).toEqual([...new Set(names)]);
  return new Map(lines.map(([, name = "", value = ""]) => [name, value]));
}

test("the example lists the variables of all services, and no others", async () => {
  const known = new Set<string>();
  for (const schema of (await schemas()).values()) {
    for (const name of Object.keys(schema.shape)) known.add(name);
  }
  expect([...examples().keys()].toSorted()).toEqual([...known].toSorted());
});

test("each value of the example is the default of every service that reads it", async () => {
  const values = examples();
  for (const [service, schema] of await schemas()) {
    const defaults: Record<string, unknown> = schema.parse({});
    for (const name of Object.keys(schema.shape)) {
      // A command is quiet unless told otherwise.
      if (service === "topics" && name === "LOG_LEVEL") continue;
      const value = values.get(name) ?? "";
      const given: Record<string, unknown> = value === "" ? {} : schema.parse({ [name]: value });
      const [actual, expected] = [plain(given[name]), plain(defaults[name])];
      expect([service, name, actual]).toEqual([service, name, expected]);
      expect([name, defaults[name] === undefined]).toEqual([name, value === ""]);
    }
  }
});

/** Two secrets are equal to every comparison that does not reveal them. */
function plain(value: unknown): unknown {
  return value instanceof Secret ? value.reveal() : value;
}

test("topics are named by default as the contracts name them", () => {
  expect(z.object(topicsEnvironment).parse({})).toEqual({
    EVENTS_TOPIC: defaultTopics.events,
    RESULTS_TOPIC: defaultTopics.results,
    DEAD_LETTER_TOPIC: defaultTopics.deadLetters,
    LATE_TOPIC: defaultTopics.late,
    AUDIT_TOPIC: defaultTopics.audit,
  });
});
