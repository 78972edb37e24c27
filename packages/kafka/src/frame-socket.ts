import { connect, isIP, type OnReadOpts, type Socket } from "node:net";
import { connect as connectTls, type ConnectionOptions } from "node:tls";
import type { ISocketFactoryArgs } from "kafkajs";

import { ResponseFrames } from "./response-frames.ts";

const readBytes = 256 * 1024;
const keepAliveMs = 60_000;

/** As kafkajs passes them; its type knows only encrypted connections. */
export type FrameSocketOptions = Omit<ISocketFactoryArgs, "ssl"> & {
  /** Left out or false: a plain connection. */
  readonly ssl?: ConnectionOptions | boolean;
};

/**
 * Sockets for kafkajs that read into one buffer of their own and hand over whole responses.
 *
 * Node's default is a new buffer of 64 KiB for each read. These live outside of the heap, but their size decides when it
 * is collected: half of all collections while a backlog is drained. And kafkajs never forgets part of a response: where
 * a connection breaks off in the middle of one, it puts the bytes of the next connection behind it, and understands
 * nothing any more.
 */
export function frameSocket({ host, port, ssl = false, onConnect }: FrameSocketOptions): Socket {
  const frames = new ResponseFrames();
  const onread: OnReadOpts = {
    buffer: Buffer.allocUnsafeSlow(readBytes),
    callback(count, buffer) {
      const complete = frames.take(buffer.subarray(0, count));
      if (complete === undefined) socket.destroy(new Error(`${host}:${port} is no Kafka broker`));
      else for (const frame of complete) socket.emit("data", frame);
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
