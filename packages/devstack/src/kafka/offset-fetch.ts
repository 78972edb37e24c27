/*
 * OffsetFetch (9), versions 1-5.
 * Request:  group_id string, [topic string, [partition int32]] (null from v2 on: all)
 * Response: throttle_ms int32 (v3), [topic string, [partition int32, offset int64, leader_epoch int32 (v5),
 *           metadata nullable_string, error int16]], error int16 (v2)
 * offset -1: nothing committed.
 */
import { endpoint, readTopic, targetsOf, writePerTopic } from "./api.ts";
import type { Broker, Endpoint, PerTopic } from "./api.ts";

type Item = { readonly partition: number };

export const offsetFetch: Endpoint = endpoint({
  key: 9,
  name: "OffsetFetch",
  minVersion: 1,
  maxVersion: 5,
  read(input) {
    const groupId = input.string();
    const topics = input.nullableArray(() =>
      readTopic(input, (): Item => ({ partition: input.int32() })),
    );
    return { groupId, topics };
  },
  targets: ({ topics }) => targetsOf(topics ?? []),
  answer({ groupId, topics }, { out, version, broker, injected }) {
    if (version >= 3) out.int32(0);
    writePerTopic(out, topics ?? everything(broker, groupId), ({ partition }, topic) => {
      const committed = broker.groups.offsets.committed(groupId, topic, partition);
      out.int32(partition).int64(committed?.offset ?? -1);
      if (version >= 5) out.int32(-1);
      out.string(committed?.metadata ?? "").int16(injected(topic, partition));
    });
    if (version >= 2) out.int16(injected());
  },
});

function everything(broker: Broker, groupId: string): PerTopic<Item>[] {
  const byTopic = Map.groupBy(broker.groups.offsets.of(groupId), ({ topic }) => topic);
  return [...byTopic].map(([topic, items]) => ({ topic, items }));
}
