import { deadLetterHeaders } from "@adstream/contracts/dead-letter";
import { configFrom } from "@adstream/verify/config";
import { optionsFrom } from "@adstream/verify/recount";
import { readTopic } from "@adstream/verify/recount-topic";
import { problemsOf, reportLines } from "@adstream/verify/report";
import { verifyOnce } from "@adstream/verify/run-once";

/** Where the records of a topic of dead letters, or of late ones, came from. */
export type Origins = {
  /** Different records of the events topic. */
  readonly different: number;
  /** Copies beyond the first: what a crash between publishing and the checkpoint leaves behind. */
  readonly repeated: number;
};

export type DocumentCheck = {
  /** Records of the log by what had to become of them. */
  readonly recounted: Readonly<Record<"in" | "counted" | "late" | "dead" | "duplicates", number>>;
  readonly comparison: Readonly<
    Record<"documents" | "missing" | "extra" | "differing" | "decisions", number>
  >;
  readonly dead: Origins;
  readonly late: Origins;
  /** One sentence for each thing that does not hold; empty when all is right. */
  readonly problems: readonly string[];
};

/**
 * Counts the events topic again by the stock clients and holds MongoDB, slot by slot, and both side topics against it:
 * every record counted once, dead-lettered, late or dropped as a redelivery, and nothing else anywhere.
 *
 * @param environment variables of the services, servers and topics included
 * @throws when a server does not answer
 */
export async function checkDocuments(
  environment: Readonly<Record<string, string>>,
): Promise<DocumentCheck> {
  const verification = await verifyOnce(configFrom(environment));
  const { windows, records, decisions } = verification;
  const { counted, late, dead, duplicate: duplicates } = records;
  const { kafka } = optionsFrom(environment);
  const problems = problemsOf(verification);
  return {
    recounted: { in: counted + late + dead + duplicates, counted, late, dead, duplicates },
    comparison: {
      documents: windows.equal + windows.different + windows.extra,
      missing: windows.missing,
      extra: windows.extra,
      differing: windows.different,
      decisions,
    },
    dead: await originsOf({ kafka, topic: environment["DEAD_LETTER_TOPIC"] ?? "" }),
    late: await originsOf({ kafka, topic: environment["LATE_TOPIC"] ?? "" }),
    problems: [
      ...(windows.compared === 0 ? ["there are no documents at all"] : []),
      ...problems,
      ...(problems.length === 0 ? [] : reportLines(verification)),
    ],
  };
}

async function originsOf(options: Parameters<typeof readTopic>[0]): Promise<Origins> {
  const seen = new Set<string>();
  let records = 0;
  await readTopic(options, async (_partition, { headers = {} }) => {
    const { partition, offset } = deadLetterHeaders;
    records += 1;
    seen.add(`${String(headers[partition])}/${String(headers[offset])}`);
  });
  return { different: seen.size, repeated: records - seen.size };
}
