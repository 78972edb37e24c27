import { configFrom } from "@adstream/verify/config";
import { problemsOf, reportLines } from "@adstream/verify/report";
import { verifyOnce } from "@adstream/verify/run-once";
import type { Verification } from "@adstream/verify/verify";

/** The raw topic counted again by other code, held against every document. */
export type Check = Verification;

/**
 * What `pnpm verify` does, over everything.
 * @throws when a server does not answer
 */
export async function checkDocuments(
  env: Readonly<Record<string, string | undefined>>,
): Promise<Check> {
  return verifyOnce(configFrom({ ...env, VERIFY_FROM: "", VERIFY_TO: "", VERIFY_EVERY: "off" }));
}

/** Every document and every letter right, and there are some documents. */
export function passed(check: Check): boolean {
  return check.windows.equal > 0 && problemsOf(check).length === 0;
}

/** For people: what was counted, and what is wrong. */
export const checkLines: (check: Check) => string[] = reportLines;
