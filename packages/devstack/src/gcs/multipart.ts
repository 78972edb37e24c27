import { GcsError } from "./gcs-error.ts";

/** The two parts of an upload with `uploadType=multipart`: what it says about itself as JSON, and the content. */
export type MultipartUpload = {
  readonly metadata: Readonly<Record<string, unknown>>;
  readonly contentType: string | undefined;
  readonly content: Buffer;
};

/**
 * Reads a multipart/related body.
 *
 * @throws GcsError 400 when it is none
 */
export function readMultipart(contentTypeHeader: string, body: Buffer): MultipartUpload {
  const boundary = /boundary="?([^";]+)"?/.exec(contentTypeHeader)?.[1];
  if (boundary === undefined) throw new GcsError(400, "multipart/related without a boundary");
  const first = nextPart(body, `--${boundary}`, 0);
  const second = nextPart(body, `--${boundary}`, first.end);
  const metadata: unknown = JSON.parse(first.content.toString("utf8"));
  const contentType = /^content-type:\s*(.+)$/im.exec(second.headers)?.[1]?.trim();
  return { metadata: { ...Object(metadata) }, contentType, content: Buffer.from(second.content) };
}

type Part = { readonly headers: string; readonly content: Buffer; readonly end: number };

/** The part behind the first boundary line at or after `from`. */
function nextPart(body: Buffer, delimiter: string, from: number): Part {
  const line = body.indexOf(delimiter, from);
  const headersAt = body.indexOf("\r\n", line) + 2;
  const contentAt = body.indexOf("\r\n\r\n", line) + 4;
  // Content may hold anything, but not the boundary: its writer has seen to that.
  const end = body.indexOf(`\r\n${delimiter}`, contentAt - 2);
  if (line < 0 || headersAt < 2 || contentAt < 4 || end < 0) {
    throw new GcsError(400, "Missing end boundary in multipart body.");
  }
  const headers = body.toString("latin1", headersAt, contentAt);
  return { headers, content: body.subarray(contentAt, Math.max(contentAt, end)), end: end + 2 };
}
