import { createServer, type RequestListener, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

export interface HttpCamera {
  readonly url: string;
  stop(): Promise<void>;
}

/** An HTTP server on 127.0.0.1. */
export async function startHttpCamera(listener: RequestListener): Promise<HttpCamera> {
  const server = createServer(listener);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}`,
    stop: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

/** Sends pictures as MJPEG over HTTP (multipart/x-mixed-replace), one every `interval` ms, until the client leaves or `stop` aborts; the connection stays open. */
export function sendMjpeg(
  response: ServerResponse,
  next: () => Buffer,
  interval: number,
  stop?: AbortSignal,
): void {
  response.writeHead(200, { "content-type": "multipart/x-mixed-replace; boundary=picture" });
  const timer = setInterval(() => {
    const picture = next();
    response.write(`--picture\r\nContent-Type: image/jpeg\r\nContent-Length: ${picture.length}\r\n\r\n`);
    response.write(picture);
    response.write("\r\n");
  }, interval);
  response.on("close", () => clearInterval(timer));
  stop?.addEventListener("abort", () => clearInterval(timer), { once: true });
}
