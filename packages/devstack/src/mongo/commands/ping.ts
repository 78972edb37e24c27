import type { Command } from "../command.ts";

/** `ping` and other commands whose only answer is yes. */
export const ping: Command = () => ({ ok: 1 });
