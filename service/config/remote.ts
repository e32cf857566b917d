import { isLoopback } from "../api/access/hosts.ts";
import type { Config } from "../contract/config.ts";
import type { RemoteServerConfig } from "../contract/config-remote.ts";
import type { Issue, Path } from "../kernel/config-file.ts";

/** What no schema can say of servers elsewhere: their addresses, their keys, and what goes with which mode. */
export function remoteIssues({ engine: { remote } }: Config): Issue[] {
  if (!remote) return [];
  const path = ["engine", "remote"];
  const { mode, image, servers } = remote;
  return [
    ...(mode === "overflow" && image
      ? [
          {
            path: [...path, "image"],
            message: "goes with mode: instead only: what overflows has the size of the ladder's pictures",
          },
        ]
      : []),
    ...servers.flatMap((server, index) => [
      ...(servers.findIndex(({ id }) => id === server.id) < index
        ? [{ path: [...path, "servers", index, "id"], message: "this id is used above; ids must be unique" }]
        : []),
      ...serverIssues(server, [...path, "servers", index]),
    ]),
  ];
}

function serverIssues({ url, key, ca, cleartext }: RemoteServerConfig, path: Path): Issue[] {
  if (!URL.canParse(url))
    return [{ path: [...path, "url"], message: "is no URL of the form https://HOST:PORT/v1" }];
  const { protocol, hostname } = new URL(url);
  const plain = protocol === "http:";
  return [
    ...(plain && !cleartext && !isLoopback(hostname.replace(/^\[|\]$/g, ""))
      ? [
          {
            path: [...path, "url"],
            message:
              "pictures, sounds and the key would cross the network in the clear: use https://, or set cleartext: true where nobody else is on it",
          },
        ]
      : []),
    ...(plain && ca !== undefined
      ? [{ path: [...path, "ca"], message: "goes with https:// only: over http:// there is no certificate" }]
      : []),
    ...(key !== undefined && !/^[\x21-\x7e]+$/.test(key)
      ? [{ path: [...path, "key"], message: "must be one line of printable ASCII without spaces" }]
      : []),
  ];
}
