import { connect, isIP, type OnReadOpts, type Socket } from "node:net";
import { connect as connectTls, type ConnectionOptions } from "node:tls";
import type { ISocketFactoryArgs } from "kafkajs";

import type { FrameBuffers } from "./frame-buffers.ts";
import { ResponseFrames } from "./response-frames.ts";

const keepAliveMs = 60_000;

/** As kafkajs passes them; its type knows only encrypted connections. */
export type FrameSocketOptions = Omit<ISocketFactoryArgs, "ssl"> & {
  /** Left out or false: a plain connection. */
  readonly ssl?: ConnectionOptions | boolean;
};

/**
 * Sockets for kafkajs that read straight into the memory of whole responses, and hand over these.
 *
 * Node's default is a new buffer of 64 KiB for each read. And kafkajs never forgets part of a response: where a
 * connection breaks off in the middle of one, it puts the bytes of the next connection behind it, and understands
 * nothing any more.
 */
export function frameSocket(
  { host, port, ssl = false, onConnect }: FrameSocketOptions,
  buffers: FrameBuffers,
): Socket {
  const frames = new ResponseFrames(buffers);
  const onread: OnReadOpts = {
    buffer: () => frames.space,
    callback(count) {
      const frame = frames.fill(count);
      if (frame === "refused") socket.destroy(new Error(`${host}:${port} is no Kafka broker`));
      else if (frame !== "partial") socket.emit("data", frame);
      return true;
    },
  };
  const socket = open({ host, port, onread }, ssl, onConnect);
  socket.setKeepAlive(true, keepAliveMs);
  return socket;
}

type Address = { readonly host: string; readonly port: number; readonly onread: OnReadOpts };

/** @param ssl true for the defaults */
function open(address: Address, ssl: ConnectionOptions | boolean, onConnect: () => void): Socket {
  if (ssl === false) return connect({ ...address }, onConnect);
  const name = isIP(address.host) === 0 ? { servername: address.host } : {};
  return connectTls({ ...address, ...name, ...(ssl === true ? {} : ssl) }, onConnect);
}
