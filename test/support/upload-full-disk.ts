import { execFileSync } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, readdirSync, statfsSync, statSync } from "node:fs";
import { type IncomingMessage, request } from "node:http";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { ServedAppliance } from "./appliance-served.ts";
import { tone } from "./engine-media.ts";

// node --import tsx upload-full-disk.ts: in a mount namespace of its own. Has the whole service take sound files on a
// disk that is short, and on one that runs full while a file comes; prints what was seen as JSON.
const deadline = setTimeout(() => process.exit(1), 55_000);
const perch = new ServedAppliance({ feeds: [], watches: [] });
mkdirSync(perch.data);
execFileSync("mount", ["-t", "tmpfs", "-o", "size=2g", "tmpfs", perch.data]);
/** Leaves so many bytes beside what is there. */
const leave = (bytes: number) => {
  const { blocks, bfree, bsize } = statfsSync(perch.data);
  execFileSync("mount", ["-o", `remount,size=${(blocks - bfree) * bsize + bytes}`, perch.data]);
};
const uploads = () => readdirSync(join(perch.data, "uploads"));

await perch.start();
await perch.ready();

const BOUNDARY = "a-boundary";
const head = [
  `--${BOUNDARY}\r\ncontent-disposition: form-data; name="model"\r\n\r\nperch`,
  `\r\n--${BOUNDARY}\r\ncontent-disposition: form-data; name="file"; filename="a.wav"\r\n\r\n`,
].join("");
const tail = `\r\n--${BOUNDARY}--\r\n`;

/** An upload of so many bytes, which are sent when the caller says so. */
function begin(bytes: number) {
  const length = head.length + bytes + tail.length;
  const sent = request(`${perch.url}/v1/audio/transcriptions`, {
    method: "POST",
    headers: {
      authorization: `Bearer ${perch.token("api")}`,
      "content-type": `multipart/form-data; boundary=${BOUNDARY}`,
      "content-length": length,
    },
    agent: false,
  });
  // Whoever is refused may be cut off while it still sends.
  sent.on("error", () => undefined);
  const answered = once(sent, "response").then(async (args) => {
    const [response] = args as [IncomingMessage];
    let text = "";
    for await (const piece of response) text += String(piece);
    return { status: response.statusCode, body: JSON.parse(text) as unknown };
  });
  return { sent, answered };
}

async function whole(file: Buffer) {
  const { sent, answered } = begin(file.length);
  sent.write(head);
  sent.write(file);
  sent.end(tail);
  return await answered;
}

const sound = tone(440, 1);
// Too short from the beginning: nothing is taken at all.
leave(100_000_000);
const short = { answer: await whole(sound), left: uploads() };
leave(1_000_000);
const backup = (await perch.ask("/api/backups", { method: "POST" })).status;

// There is room when it begins, and none half way.
leave(1_500_000_000);
const { sent, answered } = begin(20_000_000);
sent.write(head);
sent.write(Buffer.alloc(2_000_000));
const path = () => join(perch.data, "uploads", uploads()[0] ?? "");
while (uploads().length === 0 || statSync(path()).size < 1_900_000) await sleep(2);
leave(262_144);
sent.write(Buffer.alloc(18_000_000));
sent.end(tail);
const full = { answer: await answered, left: uploads() };

leave(1_500_000_000);
const again = { answer: await whole(sound), left: uploads() };
process.stdout.write(JSON.stringify({ short, backup, full, again, record: perch.health().record?.state }));
await perch.stop();
execFileSync("umount", [perch.data]);
await perch.dispose();
clearTimeout(deadline);
