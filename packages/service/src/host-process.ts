import type { DestinationStream } from "pino";

/** What ends a service from outside. */
export type Ending = "SIGTERM" | "SIGINT" | "disconnect";

/** A failure that nobody awaited. */
export type Stray = "unhandledRejection" | "uncaughtException";

/** The process a service runs in, as far as `runService` touches it; tests pass one of their own. */
export type HostProcess = {
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Without the program and the script. */
  readonly argv: readonly string[];
  readonly envFile: string | null;
  /** Standard output when undefined. */
  readonly logDestination: DestinationStream | undefined;
  stdout(text: string): void;
  stderr(text: string): void;
  onEnding(listener: (ending: Ending) => void): void;
  onStray(listener: (error: unknown, stray: Stray) => void): void;
  /** Resolves when the parent has it, or is gone. undefined without a parent that listens. */
  readonly send: ((message: Record<string, unknown>) => Promise<void>) | undefined;
  /** Calls back once, later; returns what cancels it. */
  after(delayMs: number, callback: () => void): () => void;
  exit(code: number): void;
};

/** The process this code runs in. */
export function hostProcess(): HostProcess {
  // A reader that went away must not turn the last words into a crash.
  process.stdout.on("error", () => {});
  process.stderr.on("error", () => {});
  return {
    env: process.env,
    argv: process.argv.slice(2),
    envFile: ".env",
    logDestination: undefined,
    stdout: (text) => void process.stdout.write(text),
    stderr: (text) => void process.stderr.write(text),
    onEnding(listener) {
      for (const ending of ["SIGTERM", "SIGINT"] as const) {
        process.on(ending, () => listener(ending));
      }
      if (process.send !== undefined) process.on("disconnect", () => listener("disconnect"));
    },
    onStray(listener) {
      process.on("unhandledRejection", (error) => listener(error, "unhandledRejection"));
      process.on("uncaughtException", (error) => listener(error, "uncaughtException"));
    },
    send: process.send === undefined ? undefined : sendToParent,
    after(delayMs, callback) {
      const timer = setTimeout(callback, delayMs);
      timer.unref();
      return () => clearTimeout(timer);
    },
    exit: (code) => process.exit(code),
  };
}

function sendToParent(message: Record<string, unknown>): Promise<void> {
  return new Promise((resolve) => {
    if (process.send === undefined || !process.connected) resolve();
    else process.send(message, undefined, undefined, () => resolve());
  });
}
