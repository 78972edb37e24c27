/*
 * ApiVersions (18), versions 0-2.
 * Request:  empty
 * Response: error int16, [api_key int16, min int16, max int16], throttle_ms int32 (v1)
 * Clients open with the newest version they know. A version we do not have is answered in the body of version 0 with
 * error 35 and the list (KIP-511), and they try again: librdkafka and the Java clients (v3, v4) do.
 */
import type { Endpoint } from "./api.ts";
import { ErrorCode } from "./error-codes.ts";

const KEY = 18;
const MAX_VERSION = 2;

/** The list is passed in, because it contains this API too. */
export function apiVersions(others: readonly Endpoint[]): Endpoint {
  const self: Endpoint = {
    key: KEY,
    name: "ApiVersions",
    minVersion: 0,
    maxVersion: MAX_VERSION,
    prepare: () => ({
      targets: [],
      silent: false,
      answer({ out, version, injected }) {
        const known = version <= MAX_VERSION;
        out.int16(known ? injected() : ErrorCode.unsupportedVersion);
        out.array([...others, self], ({ key, minVersion, maxVersion }) => {
          out.int16(key).int16(minVersion).int16(maxVersion);
        });
        if (known && version >= 1) out.int32(0);
      },
    }),
  };
  return self;
}

/** True for the one request that is answered whatever its version. */
export function opensConnection(apiKey: number): boolean {
  return apiKey === KEY;
}
