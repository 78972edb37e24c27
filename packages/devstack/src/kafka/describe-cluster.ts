/*
 * DescribeCluster (60), version 0; flexible.
 * Request:  include_cluster_authorized_operations bool
 * Response: throttle_ms int32, error int16, error_message nullable_string, cluster_id string, controller_id int32,
 *           [node_id int32, host string, port int32, rack nullable_string], authorized_operations int32
 */
import { endpoint } from "./api.ts";
import type { Endpoint } from "./api.ts";

const NO_OPERATIONS = -0x80000000;

export const describeCluster: Endpoint = endpoint({
  key: 60,
  name: "DescribeCluster",
  minVersion: 0,
  maxVersion: 0,
  flexibleFrom: 0,
  read: (input) => ({ operations: input.boolean() }),
  answer(_request, { out, broker, injected }) {
    out.int32(0).int16(injected()).nullableString(null);
    out.string(broker.clusterId).int32(broker.nodeId);
    out.array([broker], ({ nodeId, host, port }) => {
      out.int32(nodeId).string(host).int32(port).nullableString(null).tags();
    });
    out.int32(NO_OPERATIONS).tags();
  },
});
