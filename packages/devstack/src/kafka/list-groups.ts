/*
 * ListGroups (16), versions 0-4; flexible from v3.
 * Request:  [state string] (v4; empty: all)
 * Response: throttle_ms int32 (v1), error int16, [group_id string, protocol_type string, state string (v4)]
 */
import { endpoint } from "./api.ts";
import type { Endpoint } from "./api.ts";

export const listGroups: Endpoint = endpoint({
  key: 16,
  name: "ListGroups",
  minVersion: 0,
  maxVersion: 4,
  flexibleFrom: 3,
  read: (input, version) => ({ states: version >= 4 ? input.array(() => input.string()) : [] }),
  answer({ states }, { out, version, broker, injected }) {
    const groups = broker.groups.ids().map((groupId) => {
      const group = broker.groups.get(groupId);
      return { groupId, protocolType: group?.protocolType ?? "", state: group?.state ?? "Empty" };
    });
    const wanted = groups.filter(({ state }) => states.length === 0 || states.includes(state));
    if (version >= 1) out.int32(0);
    out.int16(injected()).array(wanted, ({ groupId, protocolType, state }) => {
      out.string(groupId).string(protocolType);
      if (version >= 4) out.string(state);
      out.tags();
    });
    out.tags();
  },
});
