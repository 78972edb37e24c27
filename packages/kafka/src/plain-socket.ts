import { connect } from "node:net";
import type { ISocketFactory } from "kafkajs";

import { ResponseFrames } from "./response-frames.ts";

const readBytes = 256 * 1024;
const keepAliveMs = 60_000;

/**
 * Sockets for kafkajs that read into one buffer of their own and hand over whole responses.
 *
 * Node's default is a new buffer of 64 KiB for each read. These live outside of the heap, but their size decides when it
 * is collected: half of all collections while a backlog is drained.
 */
export const plainSocket: ISocketFactory = ({ host, port, onConnect }) => {
  const frames = new ResponseFrames();
  const socket = connect(
    {
      host,
      port,
      onread: {
        buffer: Buffer.allocUnsafeSlow(readBytes),
        callback(count, buffer) {
          const complete = frames.take(buffer.subarray(0, count));
          if (complete === undefined)
            socket.destroy(new Error(`${host}:${port} is no Kafka broker`));
          else for (const frame of complete) socket.emit("data", frame);
          return true;
        },
      },
    },
    onConnect,
  );
  socket.setKeepAlive(true, keepAliveMs);
  return socket;
};
