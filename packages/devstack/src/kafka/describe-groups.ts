/*
 * DescribeGroups (15), versions 0-4.
 * Request:  [group_id string], include_authorized_operations bool (v3)
 * Response: throttle_ms int32 (v1), [error int16, group_id string, state string, protocol_type string,
 *           protocol string, [member_id string, group_instance_id nullable_string (v4), client_id string,
 *           client_host string, metadata bytes, assignment bytes], authorized_operations int32 (v3)]
 * A group nobody knows is Dead, without an error.
 */
import { endpoint } from "./api.ts";
import type { Call, Endpoint } from "./api.ts";
import { metadataFor } from "./group-member.ts";

const NO_OPERATIONS = -0x80000000;

export const describeGroups: Endpoint = endpoint({
  key: 15,
  name: "DescribeGroups",
  minVersion: 0,
  maxVersion: 4,
  read: (input) => ({ groupIds: input.array(() => input.string()) }),
  answer({ groupIds }, call) {
    const { out, version, injected } = call;
    if (version >= 1) out.int32(0);
    out.array(groupIds, (groupId) => {
      out.int16(injected()).string(groupId);
      writeGroup(groupId, call);
      if (version >= 3) out.int32(NO_OPERATIONS);
    });
  },
});

function writeGroup(groupId: string, { out, version, broker }: Call): void {
  const group = broker.groups.get(groupId);
  const unknown = broker.groups.offsets.has(groupId) ? "Empty" : "Dead";
  out.string(group?.state ?? unknown).string(group?.protocolType ?? "");
  const protocolName = group?.state === "Stable" ? group.protocolName : "";
  out.string(protocolName).array(group?.members ?? [], (member) => {
    out.string(member.id);
    if (version >= 4) out.nullableString(member.instanceId);
    out.string(member.clientId).string(member.clientHost);
    out.bytes(metadataFor(member, protocolName)).bytes(member.assignment);
  });
}
