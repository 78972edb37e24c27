/*
 * InitProducerId (22), versions 0-1.
 * Request:  transactional_id nullable_string, transaction_timeout_ms int32
 * Response: throttle_ms int32, error int16, producer_id int64, producer_epoch int16
 * A fresh id with epoch 0 every time. There are no transactions here: UNSUPPORTED_VERSION.
 */
import { endpoint } from "./api.ts";
import type { Endpoint } from "./api.ts";
import { ErrorCode } from "./error-codes.ts";

export const initProducerId: Endpoint = endpoint({
  key: 22,
  name: "InitProducerId",
  minVersion: 0,
  maxVersion: 1,
  read: (input) => ({ transactionalId: input.nullableString() }),
  answer({ transactionalId }, { out, broker, injected }) {
    const error = injected() || (transactionalId === null ? 0 : ErrorCode.unsupportedVersion);
    out.int32(0).int16(error);
    if (error === 0) out.int64(broker.nextProducerId()).int16(0);
    else out.int64(-1).int16(-1);
  },
});
