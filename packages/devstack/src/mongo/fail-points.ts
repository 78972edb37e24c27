import { arrayArgument, countArgument, documentArgument, flagArgument } from "./arguments.ts";
import { CommandError } from "./errors.ts";
import { field, isDocument, type Document } from "./values.ts";

/** MongoDB's `failCommand` as it is set now; one at a time, as there. */
export type FailPoints = { active: FailPoint | undefined };

export type FailPoint = {
  readonly commands: ReadonlySet<unknown>;
  /** Commands still to fail; Infinity until it is switched off. */
  remaining: number;
  /** Cuts the connection instead of an answer; the command is not run. */
  readonly closeConnection: boolean;
  /** Answers that much later. */
  readonly delayMs: number;
  /** Answered instead of running the command. */
  readonly error: CommandError | undefined;
  /** Added to the answer of the command, which is run. */
  readonly writeConcernError: Document | undefined;
};

/** The fail point that a command trips, counted down. */
export function tripFailPoint(points: FailPoints, command: Document): FailPoint | undefined {
  const point = points.active;
  const [name] = Object.keys(command);
  if (point === undefined || !point.commands.has(name)) return undefined;
  point.remaining--;
  if (point.remaining <= 0) points.active = undefined;
  return point;
}

/** Reads `{configureFailPoint: "failCommand", mode, data}`; `undefined` switches it off. @throws CommandError 2 */
export function parseFailPoint(command: Document): FailPoint | undefined {
  const { mode } = command;
  if (mode === "off") return undefined;
  const remaining = mode === "alwaysOn" ? Infinity : times(mode);
  const data = documentArgument(command, "data");
  const code = countArgument(data, "errorCode");
  const writeConcernError = field(data, "writeConcernError");
  return {
    commands: new Set(arrayArgument(data, "failCommands")),
    remaining,
    closeConnection: flagArgument(data, "closeConnection"),
    delayMs: flagArgument(data, "blockConnection") ? (countArgument(data, "blockTimeMS") ?? 0) : 0,
    error:
      code === undefined
        ? undefined
        : new CommandError(code, "Failing command via 'failCommand' failpoint", {
            ...(Object.hasOwn(data, "errorLabels") && {
              errorLabels: arrayArgument(data, "errorLabels"),
            }),
          }),
    writeConcernError: isDocument(writeConcernError) ? writeConcernError : undefined,
  };
}

function times(mode: unknown): number {
  const count = isDocument(mode) ? countArgument(mode, "times") : undefined;
  if (count === undefined)
    throw new CommandError(2, "mode must be 'off', 'alwaysOn' or {times: <number>}");
  return count;
}
