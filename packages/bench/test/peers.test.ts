import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { findPeers, parseOracle } from "../src/peers.ts";

let folder = "";
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "adstream-peers-"));
  writeFileSync(join(folder, "run"), "");
});
afterEach(() => rmSync(folder, { recursive: true }));

function install(...parts: readonly string[]): void {
  for (const part of parts) mkdirSync(join(folder, "home", part), { recursive: true });
}

test("without the harness there are no peers", () => {
  rmSync(join(folder, "run"));
  expect(findPeers({ PEERS_DIR: folder })).toBeUndefined();
});

test("those are installed of which everything is there, and none without the broker", () => {
  const environment = { PEERS_DIR: folder, PEERS_HOME: join(folder, "home") };
  install("node/node_modules", "jars/flink", "classes/flink", "jars/spark");
  expect(findPeers(environment)?.installed).toEqual([]);
  install("jars/broker", "classes/loader", "venv");
  expect(findPeers(environment)?.installed).toEqual(["flink", "naive"]);
});

test("how to get the others is said as it is typed", () => {
  const found = findPeers({ PEERS_DIR: folder, PEERS_HOME: "there" });
  expect(found?.setup(["spark", "naive"])).toMatch(/^PEERS_HOME=there .*\/setup spark$/);
});

test("the oracle's lines are rows by window and ad", () => {
  const csv =
    "ad_id,window_start,count,clicks,views,cost,avg\r\nad-000007,1700000010000,3,1,20,1.250000,0.06\r\n";
  expect([...parseOracle(csv)]).toEqual([
    ["1700000010000/ad-000007", { count: 3, clicks: 1, views: 20, cost: 1.25 }],
  ]);
});
