import { describe, expect, test } from "vitest";
import { z } from "zod";
import {
  httpEnvironment,
  logEnvironment,
  registryEnvironment,
  topicSettingsEnvironment,
} from "../src/environment.ts";
import { runService } from "../src/run-service.ts";
import type { Ending, HostProcess, Stray } from "../src/host-process.ts";
import type { ServiceContext } from "../src/run-service.ts";

const environment = z.object({
  ...registryEnvironment,
  ...topicSettingsEnvironment,
  ...httpEnvironment,
  ...logEnvironment,
});
const flags = { partitions: { variable: "TOPIC_PARTITIONS", value: "n", about: "how many" } };

type Context = ServiceContext<z.output<typeof environment>>;
type Main = (context: Context) => Promise<void>;

/** A process whose signals, timers and exit are in the test's hands. */
class FakeProcess implements HostProcess {
  readonly env: Record<string, string> = {};
  argv: string[] = [];
  readonly envFile = null;
  readonly lines: string[] = [];
  readonly logDestination = { write: (line: string): void => void this.lines.push(line) };
  out = "";
  err = "";
  readonly exits: number[] = [];
  readonly sent: Record<string, unknown>[] = [];
  send: HostProcess["send"] = async (message) => void this.sent.push(message);
  signal: (ending: Ending) => void = () => {};
  stray: (error: unknown, stray: Stray) => void = () => {};
  timers: { delayMs: number; callback: () => void }[] = [];
  readonly exited: Promise<void>;
  #exited = (): void => {};

  constructor() {
    this.exited = new Promise((resolve) => (this.#exited = resolve));
  }
  stdout(text: string): void {
    this.out += text;
  }
  stderr(text: string): void {
    this.err += text;
  }
  onEnding(listener: (ending: Ending) => void): void {
    this.signal = listener;
  }
  onStray(listener: (error: unknown, stray: Stray) => void): void {
    this.stray = listener;
  }
  after(delayMs: number, callback: () => void): () => void {
    const timer = { delayMs, callback };
    this.timers.push(timer);
    return () => void (this.timers = this.timers.filter((other) => other !== timer));
  }
  /** Lets `elapsedMs` pass for timers. */
  pass(elapsedMs: number): void {
    const due = this.timers.filter((timer) => timer.delayMs <= elapsedMs);
    this.timers = this.timers.filter((timer) => timer.delayMs > elapsedMs);
    for (const { callback } of due) callback();
  }
  exit(code: number): void {
    this.exits.push(code);
    this.#exited();
  }
}

async function run(main: Main, host = new FakeProcess()): Promise<FakeProcess> {
  void runService({ name: "tester", environment, flags, main }, host);
  await host.exited;
  return host;
}

const untilAborted: Main = ({ signal }) =>
  new Promise((resolve) => signal.addEventListener("abort", () => resolve(), { once: true }));
const forever: Main = () => new Promise(() => {});

class Failure extends Error {
  readonly exitCode: number;
  constructor(message: string, exitCode: number) {
    super(message);
    this.exitCode = exitCode;
  }
}

describe("how a service ends", () => {
  test("0 when its work is done", async () => {
    const host = await run(async () => {});
    expect([host.exits, host.err]).toEqual([[0], ""]);
  });

  test.each<[number, Error, string]>([
    [78, new Failure("offsets 3 to 9 are gone", 78), "offsets 3 to 9 are gone"],
    [65, new Failure("two\n  lines", 65), "two lines"],
    [70, new Error("no code"), "no code"],
    [70, new Failure("a code out of range", 4711), "a code out of range"],
    [70, new TypeError("x is not a function"), "unexpected TypeError: x is not a function"],
  ])("%d with one last line, for %s", async (code, error, words) => {
    const host = await run(async () => {
      throw error;
    });
    expect([host.exits, host.err]).toEqual([[code], `adstream tester: ${words}\n`]);
    expect(host.lines.some((line) => line.includes('"msg":"service failed"'))).toBe(true);
  });

  test("70 for a failure that nobody awaited", async () => {
    const host = new FakeProcess();
    await run((context) => {
      host.stray(new Error("lost promise"), "unhandledRejection");
      return forever(context);
    }, host);
    expect([host.exits, host.err]).toEqual([[70], "adstream tester: lost promise\n"]);
  });

  test("once, whatever fails on the way out", async () => {
    const host = new FakeProcess();
    await run(async () => {
      host.stray(new Failure("first", 70), "uncaughtException");
      host.stray(new Failure("second", 70), "uncaughtException");
      throw new Failure("third", 78);
    }, host);
    // The exit happens in a later turn, after the parent has the last message.
    await new Promise((resolve) => setImmediate(resolve));
    expect([host.exits, host.err]).toEqual([[70], "adstream tester: first\n"]);
  });

  test("64 for configuration, listing environment and flags together", async () => {
    const host = new FakeProcess();
    host.env["HTTP_PORT"] = "many";
    host.argv = ["--partitions", "0", "--fast"];
    await run(forever, host);
    expect([host.exits, host.err]).toEqual([
      [64],
      [
        "adstream tester: 3 settings are wrong",
        "  --fast: there is no such flag, see --help",
        '  --partitions is "0": must be a whole number from 1 to 10000',
        '  HTTP_PORT is "many": must be a whole number from 0 to 65535',
        "",
      ].join("\n"),
    ]);
  });

  test("0 for --help, which says what there is", async () => {
    const host = new FakeProcess();
    host.argv = ["--help"];
    await run(forever, host);
    expect(host.exits).toEqual([0]);
    expect(host.out).toContain("--partitions <n>  how many (TOPIC_PARTITIONS)");
  });
});

describe("a service that is told to stop", () => {
  function started(main: Main): [FakeProcess, Promise<FakeProcess>] {
    const host = new FakeProcess();
    const up = new Promise<void>((resolve) => {
      void run(async (context) => {
        resolve();
        await main(context);
      }, host);
    });
    return [host, up.then(() => host)];
  }

  test.each<Ending>(["SIGTERM", "SIGINT", "disconnect"])(
    "drains and ends with 0: %s",
    async (ending) => {
      const [host, up] = started(untilAborted);
      await up;
      host.signal(ending);
      await host.exited;
      expect([host.exits, host.err]).toEqual([[0], ""]);
    },
  );

  test("ends with 0 although its waits reject because of the signal", async () => {
    const [host, up] = started(async (context) => {
      await untilAborted(context);
      context.signal.throwIfAborted();
    });
    await up;
    host.signal("SIGTERM");
    await host.exited;
    expect(host.exits).toEqual([0]);
  });

  test("still tells a failure of the drain", async () => {
    const [host, up] = started(async (context) => {
      await untilAborted(context);
      throw new Failure("the last publish was not acknowledged", 70);
    });
    await up;
    host.signal("SIGTERM");
    await host.exited;
    expect(host.exits).toEqual([70]);
  });

  test("ends with 1 on a second signal, copies of the first and a lost parent not counted", async () => {
    const [host, up] = started(forever);
    await up;
    host.signal("SIGINT");
    host.signal("SIGINT");
    host.signal("SIGTERM");
    host.pass(500);
    host.signal("disconnect");
    expect(host.exits).toEqual([]);
    host.signal("SIGINT");
    await host.exited;
    expect(host.exits).toEqual([1]);
    expect(host.err).toBe("adstream tester: stopped by a second SIGINT before all was saved\n");
  });

  test("ends with 1 when draining takes longer than 25 s", async () => {
    const [host, up] = started(forever);
    await up;
    host.signal("SIGTERM");
    host.pass(24_999);
    expect(host.exits).toEqual([]);
    host.pass(25_000);
    await host.exited;
    expect(host.exits).toEqual([1]);
    expect(host.err).toContain("stopping took longer than 25 s");
  });
});

describe("what a service shows", () => {
  test("its state on /readyz and to the parent, named", async () => {
    const host = new FakeProcess();
    await run(async ({ ready, status }) => {
      const { url } = host.sent[0] ?? {};
      expect((await fetch(`${String(url)}/readyz`)).status).toBe(503);
      ready();
      expect((await fetch(`${String(url)}/readyz`)).status).toBe(200);
      ready();
      status({ produced: 5 });
    }, host);
    expect(host.err).toBe("");
    expect(host.sent).toEqual([
      { service: "tester", url: expect.stringMatching(/^http:\/\/127\.0\.0\.1:\d+$/) },
      { service: "tester", ready: true },
      { service: "tester", produced: 5 },
    ]);
  });

  test("nothing to a parent it does not have", async () => {
    const host = new FakeProcess();
    host.send = undefined;
    await run(async ({ status }) => status({ produced: 5 }), host);
    expect(host.exits).toEqual([0]);
  });

  test("its end, although the parent does not read", async () => {
    const host = new FakeProcess();
    host.send = () => new Promise(() => {});
    void run(async () => {}, host);
    while (!host.timers.some((timer) => timer.delayMs === 500)) {
      await new Promise((resolve) => setImmediate(resolve));
    }
    host.pass(500);
    await host.exited;
    expect(host.exits).toEqual([0]);
  });

  test("no secret, neither in the log nor in the last words", async () => {
    const host = new FakeProcess();
    host.env["SCHEMA_REGISTRY_USERNAME"] = "me";
    host.env["SCHEMA_REGISTRY_PASSWORD"] = "c4n4ry-s3cr3t";
    await run(async ({ config, log }) => {
      log.info({ config, word: config.SCHEMA_REGISTRY_PASSWORD?.reveal() }, "configured");
      throw new Error("refused: me:c4n4ry-s3cr3t");
    }, host);
    expect(host.lines.join() + host.err + host.out).not.toContain("c4n4ry");
    expect(host.err).toBe("adstream tester: refused: me:[redacted]\n");
  });

  test("a warning for a variable that looks mistyped", async () => {
    const host = new FakeProcess();
    host.env["HTTP_PROT"] = "80";
    host.env["TOPIC_PARTITION"] = "80";
    await run(async () => {}, host);
    expect(host.lines.filter((line) => line.includes('"level":40'))).toHaveLength(1);
    expect(host.lines.join()).toContain("did you mean TOPIC_PARTITIONS?");
  });
});
