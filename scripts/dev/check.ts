import { MongoClient } from "mongodb";
import {
  type Comparison,
  compareWithMongo,
  optionsFrom,
  recount,
  type Recount,
} from "../recount.ts";

/** The raw topic counted again by other code, held against every document. */
export type Check = { readonly recounted: Recount; readonly comparison: Comparison };

/** @throws when a server does not answer */
export async function checkDocuments(
  env: Readonly<Record<string, string | undefined>>,
): Promise<Check> {
  const recounted = await recount(optionsFrom(env));
  await using client = new MongoClient(env["MONGODB_URL"] ?? "mongodb://localhost:27017");
  const database = client.db(env["MONGODB_DATABASE"] ?? "Advertisement");
  const collection = database.collection(env["MONGODB_COLLECTION"] ?? "ad_stats");
  return { recounted, comparison: await compareWithMongo(recounted, collection) };
}

/** Every document right, and there are some. */
export function passed({ comparison }: Check): boolean {
  const { documents, missing, extra, differing } = comparison;
  return documents > 0 && missing + extra + differing === 0;
}

/** For people: what was counted, and what is wrong. */
export function checkLines({ recounted, comparison }: Check): string[] {
  const { documents, missing, extra, differing, different } = comparison;
  const { in: seen, counted, late, dead } = recounted;
  const verdict = missing + extra + differing === 0 ? "all equal" : "NOT EQUAL";
  return [
    `recount of the raw topic: ${seen} records = ${counted} counted + ${late} late + ${dead} dead-lettered`,
    `MongoDB: ${documents} documents, ${verdict} to the recount (${missing} missing, ${extra} extra, ${differing} different)`,
    ...different.map(
      ({ id, expected, found }) =>
        `  ${id}: expected ${JSON.stringify(expected)}, found ${JSON.stringify(found)}`,
    ),
  ];
}
