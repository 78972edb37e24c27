/*
 * SyncGroup (14), versions 0-3.
 * Request:  group_id string, generation int32, member_id string, group_instance_id nullable_string (v3),
 *           [member_id string, assignment bytes]
 * Response: throttle_ms int32 (v1), error int16, assignment bytes
 * Answered when the leader has sent what it divided.
 */
import { endpoint } from "./api.ts";
import type { Endpoint } from "./api.ts";
import { ErrorCode } from "./error-codes.ts";
import { refusedSync } from "./group-member.ts";

export const syncGroup: Endpoint = endpoint({
  key: 14,
  name: "SyncGroup",
  minVersion: 0,
  maxVersion: 3,
  read(input, version) {
    const groupId = input.string();
    const generation = input.int32();
    const memberId = input.string();
    const instanceId = version >= 3 ? input.nullableString() : null;
    const pairs = input.array((): [string, Buffer] => {
      const id = input.string();
      return [id, Buffer.from(input.bytes())];
    });
    return { groupId, speaker: { memberId, instanceId, generation }, assignments: new Map(pairs) };
  },
  async answer({ groupId, speaker, assignments }, { out, version, broker, injected }) {
    const code = injected();
    const group = broker.groups.get(groupId);
    const refused = refusedSync(code || ErrorCode.unknownMemberId);
    const known = code === 0 && group !== undefined;
    const result = known ? await group.sync(speaker, assignments) : refused;
    if (version >= 1) out.int32(0);
    out.int16(result.errorCode).bytes(result.assignment);
  },
});
