/*
 * LeaveGroup (13), versions 0-3.
 * Request:  group_id string, member_id string (to v2), [member_id string, group_instance_id nullable_string] (v3)
 * Response: throttle_ms int32 (v1), error int16, [member_id string, group_instance_id nullable_string, error int16]
 *           (v3)
 */
import { endpoint } from "./api.ts";
import type { Endpoint } from "./api.ts";
import { ErrorCode } from "./error-codes.ts";

type Leaver = { readonly memberId: string; readonly instanceId: string | null };

export const leaveGroup: Endpoint = endpoint({
  key: 13,
  name: "LeaveGroup",
  minVersion: 0,
  maxVersion: 3,
  read(input, version) {
    const groupId = input.string();
    const several = (): Leaver[] =>
      input.array(() => ({ memberId: input.string(), instanceId: input.nullableString() }));
    const one = (): Leaver[] => [{ memberId: input.string(), instanceId: null }];
    return { groupId, leavers: version >= 3 ? several() : one() };
  },
  answer({ groupId, leavers }, { out, version, broker, injected }) {
    const group = broker.groups.get(groupId);
    const code = injected();
    const outcomes = leavers.map((leaver) => {
      const left = (): number =>
        group?.leave(leaver.memberId, leaver.instanceId) ?? ErrorCode.unknownMemberId;
      return { ...leaver, error: code || left() };
    });
    if (version >= 1) out.int32(0);
    if (version < 3) {
      out.int16(outcomes[0]?.error ?? ErrorCode.unknownMemberId);
      return;
    }
    out.int16(code).array(outcomes, ({ memberId, instanceId, error }) => {
      out.string(memberId).nullableString(instanceId).int16(error);
    });
  },
});
