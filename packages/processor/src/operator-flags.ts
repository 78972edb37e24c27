import type { OperatorFlag } from "@adstream/engine/operator-halt";
import type { Operator, OperatorDecision } from "@adstream/engine/operator";
import type { Clock } from "@adstream/engine/ports";
import type { FlagTable } from "@adstream/service/flags";
import { z } from "zod";

/** Wall time until which something is permitted, epoch ms: 0 never, Infinity in this process. */
const permission = z.string().transform((text, context): number => {
  const word = text.trim();
  if (word === "off") return 0;
  // What a flag stands for.
  if (word === "true") return Number.POSITIVE_INFINITY;
  const time = /^\d{4}-\d{2}-\d{2}/.test(word) ? Date.parse(word) : Number.NaN;
  if (Number.isFinite(time)) return time;
  const message =
    "must be off, true for the start of one process, or a time like 2026-01-31T12:00:00Z until which it holds";
  context.issues.push({ code: "custom", message, input: text });
  return z.NEVER;
});

/** What an operator permits; a time keeps a forgotten variable from permitting anything later. */
export const operatorEnvironment = {
  FROM_BEGINNING: permission.prefault("off"),
  ACCEPT_GAP: permission.prefault("off"),
  ACCEPT_NEW_LOG: permission.prefault("off"),
  RETRY_SCHEMAS: permission.prefault("off"),
  ACCEPT_DEAD_LETTERS: permission.prefault("off"),
} as const;

type Permissions = { readonly [Name in keyof typeof operatorEnvironment]: number };

const variables: Readonly<Record<OperatorFlag, keyof Permissions>> = {
  "from-beginning": "FROM_BEGINNING",
  "accept-gap": "ACCEPT_GAP",
  "accept-new-log": "ACCEPT_NEW_LOG",
  "retry-schemas": "RETRY_SCHEMAS",
  "accept-dead-letters": "ACCEPT_DEAD_LETTERS",
};

/**
 * The flags of `pnpm processor`. Each lifts a halt that names it, for the tasks that need it and until they take their
 * first records; what goes wrong later halts again. A supervisor that starts the same command again permits it again: in
 * a container rather set the variable to a time.
 */
export const operatorFlags: FlagTable = {
  "from-beginning": {
    variable: variables["from-beginning"],
    about: "where state is lost or of other settings, compute again what the log still holds",
  },
  "accept-gap": {
    variable: variables["accept-gap"],
    about: "go on over records that retention removed unprocessed",
  },
  "accept-new-log": {
    variable: variables["accept-new-log"],
    about: "begin anew where the topic is another one than before",
  },
  "retry-schemas": {
    variable: variables["retry-schemas"],
    about: "forget which schema ids were decided to be unknown",
  },
  "accept-dead-letters": {
    variable: variables["accept-dead-letters"],
    about:
      "let records that are in the log now be dead letters, however many; again if it ends before it is past them",
  },
};

/** The operator as the environment and the flags have it. */
export function operatorOf(
  permissions: Permissions,
  clock: Pick<Clock, "wallMs">,
  audit: (decision: OperatorDecision) => Promise<void>,
): Operator {
  return { permits: (flag) => clock.wallMs() < permissions[variables[flag]], audit };
}
