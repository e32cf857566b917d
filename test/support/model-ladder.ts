import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Ladder, ModelFile } from "../../service/contract/models.ts";
import type { FileTask } from "../../service/inference/model-files.ts";
import { ModelStore } from "../../service/inference/model-store.ts";
import { silentLogger } from "../../service/kernel/logger.ts";
import { packageRoot } from "../../service/kernel/paths.ts";
import { modelsYaml } from "./models-yaml.ts";

const WEIGHTS = join(packageRoot, "device/simulator/model/weights");

/** The two smallest levels of the shipped small model, whose three files lie nowhere yet, in a folder of its own. */
export class ModelLadder {
  readonly root = mkdtempSync(join(tmpdir(), "perch-models-"));
  /** Where the ladder's files have to come. */
  readonly folder = join(this.root, "data", "models");
  readonly models = join(this.root, "models.yaml");
  readonly config = join(this.root, "perch.yaml");
  readonly notes: string[] = [];
  readonly ended = new AbortController();
  readonly ladder: Ladder;
  /** The right bytes by file name. */
  readonly files: ReadonlyMap<string, Buffer>;

  constructor(change: (file: ModelFile) => ModelFile = (file) => file) {
    const shipped = new ModelStore({
      models: join(packageRoot, "config/models.yaml"),
      data: this.root,
      logger: silentLogger,
    });
    const small = shipped.ladder("perch-small");
    const levels = small.levels
      .filter(({ id }) => id === "q3_k_m" || id === "q2_k")
      .map((level) => ({ ...level, text: change(level.text), mmproj: change(level.mmproj) }));
    this.ladder = { ...small, id: "small", folder: "data:models", default: "q2_k", levels };
    this.files = new Map(
      levels.flatMap(({ text, mmproj }) =>
        [text, mmproj].map(({ file }) => [file, readFileSync(join(WEIGHTS, file))]),
      ),
    );
    writeFileSync(this.models, modelsYaml(this.ladder));
    const { data } = { data: join(this.root, "data") };
    writeFileSync(
      this.config,
      `node: here\nfeeds: []\nwatches: []\ndata: ${data}\nmodels: ${this.models}\nengine: { ladder: small }\n`,
    );
  }

  get store(): ModelStore {
    return new ModelStore({ models: this.models, data: join(this.root, "data"), logger: silentLogger });
  }

  get task(): FileTask {
    const reporter = { progress: () => undefined, note: (text: string) => this.notes.push(text) };
    const { store } = this;
    return { store, ladder: store.ladder("small"), reporter, signal: this.ended.signal };
  }

  /** Its bytes as they should be. */
  right(file: string): Buffer {
    const bytes = this.files.get(file);
    if (!bytes) throw new Error(`there is no ${file} in the ladder`);
    return bytes;
  }

  /** Writes a file into the ladder's folder. */
  put(name: string, bytes: Uint8Array): void {
    mkdirSync(this.folder, { recursive: true });
    writeFileSync(join(this.folder, name), bytes);
  }

  /** Bytes of a file in the ladder's folder. */
  get(name: string): Buffer {
    return readFileSync(join(this.folder, name));
  }

  dispose(): void {
    rmSync(this.root, { recursive: true, force: true });
  }
}
