import { parseArgs } from "node:util";

/** A flag that takes a value, or a switch. */
export type FlagTypes = Readonly<Record<string, { readonly type: "string" | "boolean" }>>;

/** `pnpm something command … --flag value --switch`, taken apart. Whoever reads it decides in which order it complains. */
export type CommandLine<Command extends string, Flag extends string> = {
  /** undefined: none of those there are; `commandProblems` says so. */
  readonly command: Command | undefined;
  readonly commandProblems: readonly string[];
  /** What stands behind the command. */
  readonly words: readonly string[];
  /** The value of a flag. */
  text(flag: Flag): string | undefined;
  /** True where a switch is there. */
  given(flag: Flag): boolean;
  /** Flags that there are not, and flags without the value they need. */
  readonly flagProblems: readonly string[];
};

/** Reads the arguments of a script with several commands; a leading `--`, which pnpm passes on, counts for nothing. */
export function readCommandLine<Command extends string, Flags extends FlagTypes>(
  argv: readonly string[],
  { commands, flags }: { readonly commands: readonly Command[]; readonly flags: Flags },
): CommandLine<Command, keyof Flags & string> | "help" {
  const { values, positionals, tokens } = parseArgs({
    args: argv[0] === "--" ? argv.slice(1) : [...argv],
    options: { ...flags, help: { type: "boolean" } },
    strict: false,
    allowPositionals: true,
    tokens: true,
  });
  const given = new Map<string, unknown>(Object.entries(values));
  if (given.get("help") === true) return "help";
  const [word = "", ...words] = positionals;
  const command = commands.find((one) => one === word);
  const there = `${commands.slice(0, -1).join(", ")} and ${commands.at(-1)}`;
  return {
    command,
    commandProblems: command === undefined ? [`${word || "no command"}: there are ${there}`] : [],
    words,
    text(flag) {
      const value = given.get(flag);
      return typeof value === "string" ? value : undefined;
    },
    given: (flag) => given.get(flag) === true,
    flagProblems: tokens.flatMap((token) => {
      if (token.kind !== "option" || token.name === "help") return [];
      if (!Object.hasOwn(flags, token.name)) return [`${token.rawName}: there is no such flag`];
      const valued = flags[token.name]?.type === "string";
      return valued && token.value === undefined ? [`${token.rawName}: needs a value`] : [];
    }),
  };
}
