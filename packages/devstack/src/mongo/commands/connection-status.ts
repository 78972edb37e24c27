import type { Command } from "../command.ts";

/** `connectionStatus`: nobody is authenticated. */
export const connectionStatus: Command = () => ({
  authInfo: { authenticatedUsers: [], authenticatedUserRoles: [] },
  ok: 1,
});
