import { type Arena, openArena } from "./arena.ts";
import { latencyFigures, measureLatencies } from "./compare-latency.ts";
import { compareOptions, type CompareOptions } from "./compare-options.ts";
import { type Contestant, contestantOf, contestFigures, isOurs, ourselves } from "./contest.ts";
import { drainWithProcessors } from "./drain.ts";
import { engineOf, findPeers, type PeerName, type Peers } from "./peers.ts";
import { type Bench, type Figures, outputText } from "./results.ts";

const exitAbsent = 64;
const say = (line: string): void => void process.stderr.write(`${line}\n`);

/**
 * Other engines and our processor on the same job, broker and events.
 * @returns the exit code: 1 when our results are wrong, 64 when there is nobody to compare with
 */
export async function compare(args: readonly string[], bench: Bench): Promise<number> {
  const options = compareOptions(args);
  const peers = findPeers(process.env);
  if (peers === undefined) {
    say(
      "the other engines are not beside this checkout; PEERS_DIR names the folder of their harness",
    );
    return exitAbsent;
  }
  const absent = options.only.filter((name) => !peers.installed.includes(name));
  if (absent.length > 0)
    say(`not installed: ${absent.join(", ")}; get them by ${peers.setup(absent)}`);
  const present = options.only.filter((name) => peers.installed.includes(name));
  if (present.length === 0) return exitAbsent;
  const { figures, right } = await measure(present, peers, options);
  process.stdout.write(outputText(bench.from, figures, options.json));
  if (right) bench.save(figures);
  return right ? 0 : 1;
}

/** @returns whether our own rows are right, too */
async function measure(
  names: readonly PeerName[],
  peers: Peers,
  options: CompareOptions,
): Promise<{ figures: Figures; right: boolean }> {
  await using arena = await openArena(peers, options);
  if (options.latency) {
    const latencies = await measureLatencies(names, peers, arena, options);
    const right = latencies.some(
      (one) => one.name === "adstream" && one.wrong === 0 && one.right > 0,
    );
    return { figures: latencyFigures(latencies, options), right };
  }
  const contestants = await drainAll(names, peers, arena, options);
  const own = contestants.filter(isOurs);
  return {
    figures: contestFigures(contestants, options),
    right: own.every(({ right, wrong }) => right > 0 && wrong === 0),
  };
}

/** The same backlog, one engine after the other, ourselves last; the first one finds the topic filled. */
async function drainAll(
  names: readonly PeerName[],
  peers: Peers,
  { kafka, admin, environment, tool, run: name }: Arena,
  { events, codec, runs, processors }: CompareOptions,
): Promise<Contestant[]> {
  const topic = `ads-${codec}-${events}`;
  const contestants: Contestant[] = [];
  for (let run = 0; run < runs; run++) {
    for (const name of names) {
      const [line] = await peers.run("run", [engineOf(name), "--events", `${events}`, ...tool]);
      contestants.push(contestantOf(name, line));
    }
    for (const count of new Set([1, processors])) {
      say(`adstream, ${count} of them …`);
      const drained = await drainWithProcessors(
        {
          ...peers.backlog(topic),
          kafka,
          admin,
          // The peers have no early results.
          environment: { ...environment, EMIT: "final" },
          topic,
          run: `${name}-${run}-${count}`,
        },
        count,
      );
      contestants.push(ourselves(drained));
    }
  }
  return contestants;
}
