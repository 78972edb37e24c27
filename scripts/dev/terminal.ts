/** Where `pnpm dev` writes: a live last line on a terminal, plain lines elsewhere. */
export type Terminal = {
  /** A line that stays. */
  say(line: string): void;
  /** Replaces the live line; elsewhere it is a line like any other. */
  live(line: string): void;
  /** The live line stays where it is. */
  end(): void;
};

const clearLine = "\r\u001B[2K";

export function openTerminal(out: NodeJS.WriteStream): Terminal {
  // The reader of our output may go first, as `head` does; the pipeline still has to be stopped in order.
  out.on("error", () => {});
  if (!out.isTTY) {
    const print = (line: string): void => void out.write(`${line}\n`);
    return { say: print, live: print, end() {} };
  }
  let shown = "";
  return {
    say(line) {
      out.write(`${shown === "" ? "" : clearLine}${line}\n${shown}`);
    },
    live(line) {
      shown = line.slice(0, Math.max(20, (out.columns || 120) - 1));
      out.write(`${clearLine}${shown}`);
    },
    end() {
      if (shown !== "") out.write("\n");
      shown = "";
    },
  };
}
