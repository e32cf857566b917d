import type { Role } from "../../contract/access.ts";

export interface Right {
  readonly roles: readonly Role[];
  /** Whether it needs no token from this box itself, where the service listens on loopback only. */
  readonly openOnLoopback: boolean;
  /** What alone counts for it, a token or a person's login; without it either does. */
  readonly by?: "token" | "login";
}

/** Who may what, as docs/access.md has it too. What stands here under no ability is everybody's. */
export const RIGHTS = {
  "health.read": { roles: ["admin", "operator", "viewer", "kiosk", "api"], openOnLoopback: true },
  "metrics.read": { roles: ["admin", "operator", "viewer"], openOnLoopback: true },
  "governor.read": { roles: ["admin", "operator", "viewer"], openOnLoopback: true },
  "governor.command": { roles: ["admin", "operator"], openOnLoopback: false },
  "feeds.read": { roles: ["admin", "operator", "viewer"], openOnLoopback: false },
  "feeds.command": { roles: ["admin", "operator"], openOnLoopback: false },
  "watches.read": { roles: ["admin", "operator", "viewer"], openOnLoopback: false },
  "watches.try": { roles: ["admin", "operator"], openOnLoopback: false },
  "watches.change": { roles: ["admin"], openOnLoopback: false },
  "record.read": { roles: ["admin", "operator", "viewer"], openOnLoopback: false },
  "events.acknowledge": { roles: ["admin", "operator"], openOnLoopback: false },
  "system.read": { roles: ["admin", "operator", "viewer"], openOnLoopback: false },
  backups: { roles: ["admin"], openOnLoopback: false },
  "audit.read": { roles: ["admin"], openOnLoopback: false },
  "session.read": { roles: ["admin", "operator", "viewer", "kiosk", "api"], openOnLoopback: false },
  "session.change": { roles: ["admin", "operator", "viewer"], openOnLoopback: false, by: "login" },
  accounts: { roles: ["admin"], openOnLoopback: false },
  "docs.read": { roles: ["admin", "operator", "viewer", "api"], openOnLoopback: true },
  // Never what a browser sends by itself: an agent acts on it as often as it likes, and nobody sees it.
  "mcp.use": { roles: ["admin", "operator", "viewer"], openOnLoopback: false, by: "token" },
  "model.ask": { roles: ["admin", "operator", "kiosk", "api"], openOnLoopback: false },
} as const satisfies Record<string, Right>;
export type Ability = keyof typeof RIGHTS;
