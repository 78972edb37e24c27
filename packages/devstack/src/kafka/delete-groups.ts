/*
 * DeleteGroups (42), versions 0-1.
 * Request:  [group_id string]
 * Response: throttle_ms int32, [group_id string, error int16]
 * Only groups without members.
 */
import { endpoint } from "./api.ts";
import type { Endpoint } from "./api.ts";

export const deleteGroups: Endpoint = endpoint({
  key: 42,
  name: "DeleteGroups",
  minVersion: 0,
  maxVersion: 1,
  read: (input) => ({ groupIds: input.array(() => input.string()) }),
  answer({ groupIds }, { out, broker, injected }) {
    out.int32(0).array(groupIds, (groupId) => {
      out.string(groupId).int16(injected() || broker.groups.remove(groupId));
    });
  },
});
