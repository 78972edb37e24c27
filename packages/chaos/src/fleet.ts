import { setTimeout as sleep } from "node:timers/promises";
import {
  type Exit,
  type ServiceName,
  type ServiceProcess,
  startService,
} from "./service-process.ts";

/** One place in the fleet; whoever runs there is replaced when it ends. */
export type Member = {
  readonly name: string;
  readonly service: ServiceName;
  /** Counts the processes that ran here, from 1. */
  readonly lifetime: number;
  readonly process: ServiceProcess;
  /** Does not run now, and will again. */
  readonly frozen: boolean;
};

/** A process that is over. */
export type Lifetime = {
  readonly name: string;
  readonly lifetime: number;
  readonly pid: number;
  readonly exit: Exit;
  /** What it said of itself last. */
  readonly status: Readonly<Record<string, unknown>>;
  /** We ended it. */
  readonly planned: boolean;
};

/** A process among all that ever ran. */
export type Who = Pick<Member, "name" | "lifetime" | "service">;

export type LogEntry = Readonly<Record<string, unknown>>;

export type FleetOptions = {
  readonly sizes: Readonly<Record<ServiceName, number>>;
  readonly environment: Readonly<Record<string, string>>;
  readonly directory: string;
  /** Flags of the process that is about to start. */
  readonly args: (who: Who) => readonly string[];
  readonly nodeArguments?: readonly string[];
  readonly onLog: (who: Who, entry: LogEntry) => void;
};

/** A supervisor: starts what ended again at once, and remembers how each process ended. */
export type Fleet = AsyncDisposable & {
  readonly members: readonly Member[];
  readonly ended: readonly Lifetime[];
  /** Exits that no restart mends; the run has failed. */
  readonly givenUp: readonly Lifetime[];
  kill(member: Member): void;
  /** SIGSTOP now, SIGCONT later. */
  freeze(member: Member, forMs: number): void;
  thawAll(): void;
  /** SIGTERM to all of a kind; they are not started again. */
  stop(service: ServiceName): Promise<readonly Lifetime[]>;
};

/** The codes after which a supervisor does not start again (design section 5). */
const finalCodes: ReadonlySet<number | null> = new Set([1, 64, 65, 78]);
/** After an end that was not ours, so that a service that cannot start does not spin. */
const restartDelayMs = 500;

type Place = {
  name: string;
  service: ServiceName;
  lifetime: number;
  process: ServiceProcess;
  frozen: boolean;
  planned: boolean;
  thaw: NodeJS.Timeout | undefined;
  over: Promise<void>;
};

export function openFleet(options: FleetOptions): Fleet {
  const ended: Lifetime[] = [];
  const givenUp: Lifetime[] = [];
  const stopping = new Set<ServiceName>();
  const launch = (who: Who): ServiceProcess => {
    const { environment, directory, nodeArguments = [], args, onLog } = options;
    return startService({
      service: who.service,
      name: who.name,
      environment,
      directory,
      nodeArguments,
      args: args(who),
      onLog: (entry) => onLog(who, entry),
    });
  };
  const look = async (place: Place): Promise<void> => {
    while (true) {
      const { name, service, lifetime, process } = place;
      const exit = await process.exited;
      clearTimeout(place.thaw);
      const { pid, status } = process;
      const over = { name, lifetime, pid, exit, status, planned: place.planned };
      ended.push(over);
      if (stopping.has(service)) return;
      if (!place.planned && finalCodes.has(exit.code)) return void givenUp.push(over);
      if (!place.planned) await sleep(restartDelayMs);
      if (stopping.has(service)) return;
      Object.assign(place, { lifetime: lifetime + 1, planned: false, frozen: false });
      place.process = launch({ name, service, lifetime: place.lifetime });
    }
  };
  const places = placesOf(options.sizes).map(({ name, service }): Place => {
    const process = launch({ name, service, lifetime: 1 });
    const over = Promise.resolve();
    const thaw = undefined;
    return { name, service, lifetime: 1, process, frozen: false, planned: false, thaw, over };
  });
  for (const place of places) place.over = look(place);
  return {
    members: places,
    ended,
    givenUp,
    ...injuries(places),
    async stop(service) {
      stopping.add(service);
      const ours = places.filter((place) => place.service === service);
      const before = ended.length;
      await Promise.all(ours.map((place) => place.process.stop()));
      await Promise.all(ours.map((place) => place.over));
      return ended.slice(before).filter(({ name }) => ours.some((place) => place.name === name));
    },
    async [Symbol.asyncDispose]() {
      for (const place of places) {
        stopping.add(place.service);
        clearTimeout(place.thaw);
      }
      await Promise.all(places.map((place) => place.process[Symbol.asyncDispose]()));
    },
  };
}

function injuries(places: readonly Place[]): Pick<Fleet, "kill" | "freeze" | "thawAll"> {
  const placeOf = (member: Member): Place | undefined =>
    places.find(({ name, lifetime }) => name === member.name && lifetime === member.lifetime);
  const thaw = (place: Place): void => {
    clearTimeout(place.thaw);
    place.frozen = false;
    place.process.send("SIGCONT");
  };
  return {
    kill(member) {
      const place = placeOf(member);
      if (place === undefined) return;
      place.planned = true;
      place.process.send("SIGKILL");
    },
    freeze(member, forMs) {
      const place = placeOf(member);
      if (place === undefined) return;
      place.frozen = true;
      place.process.send("SIGSTOP");
      place.thaw = setTimeout(() => thaw(place), forMs);
    },
    thawAll: () => places.filter(({ frozen }) => frozen).forEach(thaw),
  };
}

function placesOf(
  sizes: Readonly<Record<ServiceName, number>>,
): { name: string; service: ServiceName }[] {
  // Readers before writers, so that the first record finds somebody.
  return (["sink", "processor", "producer"] as const).flatMap((service) =>
    Array.from({ length: sizes[service] }, (_, index) => ({
      name: `${service}-${index + 1}`,
      service,
    })),
  );
}
