/** An error as the JSON API answers it. */
export class GcsError extends Error {
  readonly status: number;
  readonly reason: string;

  constructor(status: number, message: string) {
    super(message);
    this.status = status;
    this.reason = reasons[status] ?? "backendError";
  }
}

const reasons: Readonly<Record<number, string>> = {
  400: "invalid",
  401: "required",
  403: "forbidden",
  404: "notFound",
  405: "methodNotAllowed",
  409: "conflict",
  412: "conditionNotMet",
  429: "rateLimitExceeded",
};
