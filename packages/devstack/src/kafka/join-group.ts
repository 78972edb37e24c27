/*
 * JoinGroup (11), versions 0-5.
 * Request:  group_id string, session_timeout_ms int32, rebalance_timeout_ms int32 (v1), member_id string,
 *           group_instance_id nullable_string (v5), protocol_type string, [name string, metadata bytes]
 * Response: throttle_ms int32 (v2), error int16, generation int32, protocol_name string, leader string,
 *           member_id string, [member_id string, group_instance_id nullable_string (v5), metadata bytes]
 * Answered when the rebalance is complete. v4 and later: a new member gets error 79 and its id first.
 */
import { endpoint } from "./api.ts";
import type { Endpoint } from "./api.ts";
import { refusedJoin } from "./group-member.ts";

const ID_REQUIRED_FROM = 4;

export const joinGroup: Endpoint = endpoint({
  key: 11,
  name: "JoinGroup",
  minVersion: 0,
  maxVersion: 5,
  read(input, version) {
    const groupId = input.string();
    const sessionTimeoutMs = input.int32();
    const rebalanceTimeoutMs = version >= 1 ? input.int32() : sessionTimeoutMs;
    const memberId = input.string();
    const instanceId = version >= 5 ? input.nullableString() : null;
    const protocolType = input.string();
    const protocols = input.array(() => {
      const name = input.string();
      return { name, metadata: Buffer.from(input.bytes()) };
    });
    const idRequired = version >= ID_REQUIRED_FROM;
    const timeouts = { sessionTimeoutMs, rebalanceTimeoutMs };
    return { groupId, memberId, instanceId, protocolType, protocols, idRequired, ...timeouts };
  },
  async answer({ groupId, ...request }, { out, version, broker, clientId, clientHost, injected }) {
    const code = injected();
    const result =
      code === 0
        ? await broker.groups.join(groupId, { ...request, clientId, clientHost })
        : refusedJoin(code, request.memberId);
    if (version >= 2) out.int32(0);
    out.int16(result.errorCode).int32(result.generation);
    out.string(result.protocolName).string(result.leaderId).string(result.memberId);
    out.array(result.members, ({ memberId, instanceId, metadata }) => {
      out.string(memberId);
      if (version >= 5) out.nullableString(instanceId);
      out.bytes(metadata);
    });
  },
});
