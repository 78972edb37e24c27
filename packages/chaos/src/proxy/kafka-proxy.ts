import { FaultScript } from "./faults.ts";
import { kafkaPieces } from "./kafka-frames.ts";
import { openTcpProxy, type ProxyState, type TcpProxy } from "./tcp-proxy.ts";

/** All brokers of a cluster behind proxies: what tells clients of a broker's address is rewritten. */
export type KafkaProxy = Omit<TcpProxy, "address"> & {
  /** KAFKA_BROKERS for clients. */
  readonly brokers: string;
};

/**
 * Stands before a cluster, frame by frame: faults name API keys, and hit whole requests and responses.
 *
 * It reads what kafkajs speaks: Metadata up to version 8 and FindCoordinator up to 2. Newer ones end the connection.
 * @param brokers like KAFKA_BROKERS
 */
export async function openKafkaProxy(brokers: string): Promise<KafkaProxy> {
  const state: ProxyState = { script: new FaultScript(), conditions: {} };
  const opening = new Map<string, Promise<TcpProxy>>();
  const open: TcpProxy[] = [];
  const openBefore = async (target: string): Promise<TcpProxy> => {
    const pieces = () => kafkaPieces(async (address) => (await before(address)).address);
    const proxy = await openTcpProxy({ target, pieces, state });
    open.push(proxy);
    return proxy;
  };
  const before = (target: string): Promise<TcpProxy> => {
    const proxy = opening.get(target) ?? openBefore(target);
    opening.set(target, proxy);
    return proxy;
  };
  const seeds = await Promise.all(brokers.split(",").map(before));
  return {
    brokers: seeds.map(({ address }) => address).join(","),
    get connections() {
      return open.reduce((sum, { connections }) => sum + connections, 0);
    },
    set: (conditions) => void (state.conditions = conditions),
    add: (fault) => state.script.add(fault),
    heal() {
      state.script.clear();
      state.conditions = {};
    },
    cut: (ending) => open.reduce((sum, proxy) => sum + proxy.cut(ending), 0),
    async [Symbol.asyncDispose]() {
      await Promise.all([...open].map((proxy) => proxy[Symbol.asyncDispose]()));
    },
  };
}
