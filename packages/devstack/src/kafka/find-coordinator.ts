/*
 * FindCoordinator (10), versions 0-2.
 * Request:  key string, key_type int8 (v1; 0 group, 1 transaction)
 * Response: throttle_ms int32 (v1), error int16, error_message nullable_string (v1), node_id int32, host string,
 *           port int32
 * There are no transactions here: their coordinator is refused with UNSUPPORTED_VERSION.
 */
import { endpoint } from "./api.ts";
import type { Endpoint } from "./api.ts";
import { ErrorCode } from "./error-codes.ts";

export const findCoordinator: Endpoint = endpoint({
  key: 10,
  name: "FindCoordinator",
  minVersion: 0,
  maxVersion: 2,
  read(input, version) {
    input.string();
    return { keyType: version >= 1 ? input.int8() : 0 };
  },
  answer({ keyType }, { out, version, broker, injected }) {
    const error = injected() || (keyType === 0 ? 0 : ErrorCode.unsupportedVersion);
    if (version >= 1) out.int32(0);
    out.int16(error);
    if (version >= 1) {
      out.nullableString(keyType === 0 ? null : "this broker has no transactions");
    }
    if (error === 0) out.int32(broker.nodeId).string(broker.host).int32(broker.port);
    else out.int32(-1).string("").int32(-1);
  },
});
