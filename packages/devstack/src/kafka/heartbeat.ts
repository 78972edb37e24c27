/*
 * Heartbeat (12), versions 0-3.
 * Request:  group_id string, generation int32, member_id string, group_instance_id nullable_string (v3)
 * Response: throttle_ms int32 (v1), error int16
 */
import { endpoint } from "./api.ts";
import type { Endpoint } from "./api.ts";
import { ErrorCode } from "./error-codes.ts";

export const heartbeat: Endpoint = endpoint({
  key: 12,
  name: "Heartbeat",
  minVersion: 0,
  maxVersion: 3,
  read(input, version) {
    const groupId = input.string();
    const generation = input.int32();
    const memberId = input.string();
    const instanceId = version >= 3 ? input.nullableString() : null;
    return { groupId, speaker: { memberId, instanceId, generation } };
  },
  answer({ groupId, speaker }, { out, version, broker, injected }) {
    const heard = (): number =>
      broker.groups.get(groupId)?.heartbeat(speaker) ?? ErrorCode.unknownMemberId;
    if (version >= 1) out.int32(0);
    out.int16(injected() || heard());
  },
});
