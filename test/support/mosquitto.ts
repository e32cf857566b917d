import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir, userInfo } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import mqtt, { type IClientOptions, type MqttClient } from "mqtt";
import { makeCertificates } from "./certificates.ts";
import { freePort } from "./free-port.ts";

const BINARY = ["/usr/sbin/mosquitto", "/usr/local/sbin/mosquitto", "/usr/bin/mosquitto"].find((path) =>
  existsSync(path),
);

interface Options {
  /** Users and passwords; without it anybody may connect. */
  readonly users?: Readonly<Record<string, string>>;
  /** A TLS listener whose certificate is made out to localhost; with "client" it asks for a client certificate. */
  readonly tls?: "server" | "client";
  readonly websockets?: boolean;
  readonly persistence?: boolean;
  /** Lines of an access control file. */
  readonly acl?: readonly string[];
  /** Further lines of mosquitto.conf. */
  readonly lines?: readonly string[];
}

/** A real mosquitto on free ports of 127.0.0.1 with everything of its own in a temporary folder. */
export class Mosquitto {
  private child: ChildProcess | undefined;
  readonly folder = mkdtempSync(join(tmpdir(), "perch-mosquitto-"));
  readonly log: string[] = [];

  private constructor(
    readonly port: number,
    readonly tlsPort: number,
    readonly websocketPort: number,
  ) {}

  static async start(options: Options = {}): Promise<Mosquitto> {
    if (!BINARY) throw new Error("mosquitto is not installed; set-up for tests brings it");
    const broker = new Mosquitto(await freePort(), await freePort(), await freePort());
    try {
      if (options.tls) makeCertificates(broker.folder);
      broker.configure(options);
      await broker.restart();
      return broker;
    } catch (error) {
      await broker.dispose();
      throw error;
    }
  }

  /** mqtt://127.0.0.1:port */
  get url(): string {
    return `mqtt://127.0.0.1:${this.port}`;
  }

  /** Path of a file in its folder, e.g. ca.pem. */
  file(name: string): string {
    return join(this.folder, name);
  }

  /** Counts from the next restart. */
  configure(options: Options): void {
    const { users, tls, websockets, persistence, acl, lines = [] } = options;
    const config = [
      "log_dest stderr",
      // Started as root it would become a user that cannot read the folder.
      `user ${userInfo().username}`,
      `allow_anonymous ${users ? "false" : "true"}`,
      `listener ${this.port} 127.0.0.1`,
      ...(users ? [`password_file ${this.writePasswords(users)}`] : []),
      ...(acl ? [`acl_file ${this.write("acl", acl)}`] : []),
      ...(persistence ? ["persistence true", `persistence_location ${this.folder}/`] : ["persistence false"]),
      ...(websockets ? [`listener ${this.websocketPort} 127.0.0.1`, "protocol websockets"] : []),
      ...(tls ? this.tlsLines(tls) : []),
      ...lines,
    ];
    this.write("mosquitto.conf", config);
  }

  /** Starts it on the same ports; waits until it accepts connections. */
  async restart(): Promise<void> {
    await this.kill("SIGTERM");
    const child = spawn(BINARY ?? "", ["-c", this.file("mosquitto.conf")], {
      stdio: ["ignore", "ignore", "pipe"],
    });
    this.child = child;
    const ended = new Promise<never>((_, reject) =>
      child.once("exit", (code) =>
        reject(new Error(`mosquitto ended (${code}): ${this.log.slice(-5).join(" | ")}`)),
      ),
    );
    const running = new Promise<void>((resolve) => {
      const lines = createInterface({ input: child.stderr });
      lines.on("line", (line) => {
        this.log.push(line);
        if (line.includes("running")) resolve();
      });
    });
    await Promise.race([running, ended]);
    ended.catch(() => undefined);
  }

  /** Ends it and waits until it is gone. */
  async kill(signal: NodeJS.Signals = "SIGKILL"): Promise<void> {
    const { child } = this;
    this.child = undefined;
    if (!child || child.exitCode !== null || child.signalCode !== null) return;
    const gone = new Promise((resolve) => child.once("close", resolve));
    // Right after its start mosquitto forgets a SIGTERM that it was sent.
    const again = setInterval(() => child.kill(signal), 200);
    child.kill(signal);
    await gone;
    clearInterval(again);
  }

  /** Topics of the messages of a client in the order in which it received them, all its lives together; needs "log_type all". */
  receivedFrom(clientId: string): string[] {
    return this.log.flatMap((line) => {
      const [, from, topic] = /Received PUBLISH from (\S+) \(.*'(.*)'/.exec(line) ?? [];
      return from === clientId && topic !== undefined ? [topic] : [];
    });
  }

  /** Stops the process without ending it: connections stay open and nothing answers. */
  freeze(): void {
    this.child?.kill("SIGSTOP");
  }

  thaw(): void {
    this.child?.kill("SIGCONT");
  }

  async dispose(): Promise<void> {
    this.thaw();
    await this.kill("SIGTERM");
    rmSync(this.folder, { recursive: true, force: true });
  }

  private tlsLines(tls: "server" | "client"): string[] {
    return [
      `listener ${this.tlsPort} 127.0.0.1`,
      `cafile ${this.file("ca.pem")}`,
      `certfile ${this.file("server.pem")}`,
      `keyfile ${this.file("server.key")}`,
      `require_certificate ${tls === "client"}`,
    ];
  }

  private writePasswords(users: Readonly<Record<string, string>>): string {
    const path = this.write("passwords", []);
    for (const [user, password] of Object.entries(users))
      execFileSync("mosquitto_passwd", ["-b", path, user, password], { stdio: "ignore" });
    return path;
  }

  private write(name: string, lines: readonly string[]): string {
    const path = this.file(name);
    writeFileSync(path, lines.map((line) => `${line}\n`).join(""), { mode: 0o600 });
    return path;
  }
}

export interface Received {
  readonly topic: string;
  readonly payload: string;
  readonly retained: boolean;
}

/** A subscriber that keeps its session and comes back by itself, so that it misses nothing that was acknowledged. */
export class Subscriber {
  readonly received: Received[] = [];
  private constructor(private readonly client: MqttClient) {}

  static async connect(url: string, topic = "#", options: IClientOptions = {}): Promise<Subscriber> {
    const client = await mqtt.connectAsync(url, {
      clientId: `subscriber-${Math.random().toString(16).slice(2)}`,
      clean: false,
      reconnectPeriod: 50,
      ...options,
    });
    const subscriber = new Subscriber(client);
    client.on("message", (name, payload, packet) =>
      subscriber.received.push({ topic: name, payload: payload.toString(), retained: packet.retain }),
    );
    await client.subscribeAsync(topic, { qos: 1 });
    return subscriber;
  }

  on(topic: RegExp): Received[] {
    return this.received.filter((message) => topic.test(message.topic));
  }

  async publish(topic: string, payload: string, { retain = false } = {}): Promise<void> {
    await this.client.publishAsync(topic, payload, { qos: 1, retain });
  }

  async end(): Promise<void> {
    await this.client.endAsync(true);
  }
}
