import { execFile } from "node:child_process";
import { readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { packageRoot } from "../../service/kernel/paths.ts";
import { type HollowTensor, keysOf, Metadata, type TypeName, writeHollow } from "./hollow-gguf.ts";

/** Gemma 4 12B: every sixth layer has full attention. Source: the published model's metadata. */
const LAYERS = 48;
const WIDE = 3840;
const FEED_FORWARD = 15_360;
const HEADS = 16;
const SLIDING = { length: 256, heads: 8 } as const;
const FULL = { length: 512, heads: 1 } as const;
const VOCABULARY = 262_144;
const slides = (layer: number) => layer % 6 !== 5;

export interface HollowFile {
  readonly file: string;
  readonly bytes: number;
}

/** Text models by quantization, and the projector of both. */
export interface HollowModel {
  readonly q4_0: HollowFile;
  readonly q8_0: HollowFile;
  readonly mmproj: HollowFile;
}

/**
 * The table of tokens, for both: of zeros at Q8_0 this llama.cpp makes logits that are no numbers, and the
 * grammar of an answer fails on them. At Q8_0 the file is 0.24 GB smaller by that than it would be.
 */
const EMBEDDING = "Q6_K";

/**
 * Writes files with Gemma 4 12B's architecture, vocabulary and chat template, and weights that are all zeros:
 * answers mean nothing, memory and time are the real model's. They take some 30 MB of disk.
 */
export async function writeHollowModel(folder: string): Promise<HollowModel> {
  const { vocabulary, template } = await fromLlamaSource(folder);
  const text = async (file: string, type: TypeName) => {
    const metadata = textMetadata(keysOf(vocabulary), template);
    return { file, bytes: await writeHollow(join(folder, file), metadata, textTensors(type)) };
  };
  const mmproj = "mmproj-hollow.gguf";
  return {
    q4_0: await text("hollow-Q4_0.gguf", "Q4_0"),
    q8_0: await text("hollow-Q8_0.gguf", "Q8_0"),
    mmproj: {
      file: mmproj,
      bytes: await writeHollow(join(folder, mmproj), projectorMetadata(), projectorTensors()),
    },
  };
}

/** llama.cpp's source comes as a git bundle inside node-llama-cpp: two of its files are taken from there. */
async function fromLlamaSource(folder: string): Promise<{ vocabulary: Buffer; template: string }> {
  const run = promisify(execFile);
  const bundle = join(packageRoot, "node_modules/node-llama-cpp/llama/gitRelease.bundle");
  const source = join(folder, "source");
  const files = ["models/ggml-vocab-gemma-4.gguf", "models/templates/google-gemma-4-31B-it.jinja"] as const;
  await run("git", ["-c", "advice.detachedHead=false", "clone", "--quiet", "--no-checkout", bundle, source]);
  await run("git", ["-C", source, "checkout", "--quiet", "HEAD", "--", ...files]);
  const vocabulary = await readFile(join(source, files[0]));
  const template = await readFile(join(source, files[1]), "utf8");
  await rm(source, { recursive: true });
  return { vocabulary, template };
}

function textMetadata(vocabulary: ReadonlyMap<string, Buffer>, template: string): Metadata {
  const layers = Array.from({ length: LAYERS }, (_, layer) => layer);
  const metadata = new Metadata()
    .text("general.architecture", "gemma4")
    .text("general.name", "hollow Gemma 4 12B")
    .uint32("gemma4.block_count", LAYERS)
    .uint32("gemma4.context_length", 262_144)
    .uint32("gemma4.embedding_length", WIDE)
    .uint32("gemma4.feed_forward_length", FEED_FORWARD)
    .uint32("gemma4.attention.head_count", HEADS)
    .uint32s(
      "gemma4.attention.head_count_kv",
      layers.map((layer) => (slides(layer) ? SLIDING.heads : FULL.heads)),
    )
    .float("gemma4.attention.layer_norm_rms_epsilon", 1e-6)
    .float("gemma4.rope.freq_base", 1e6)
    .float("gemma4.rope.freq_base_swa", 1e4)
    .uint32("gemma4.attention.sliding_window", 1024)
    .flags("gemma4.attention.sliding_window_pattern", layers.map(slides))
    .uint32("gemma4.attention.key_length", FULL.length)
    .uint32("gemma4.attention.value_length", FULL.length)
    .uint32("gemma4.attention.key_length_swa", SLIDING.length)
    .uint32("gemma4.attention.value_length_swa", SLIDING.length)
    .uint32("gemma4.rope.dimension_count", FULL.length)
    .uint32("gemma4.rope.dimension_count_swa", SLIDING.length)
    .uint32("gemma4.attention.shared_kv_layers", 0)
    .uint32("gemma4.embedding_length_per_layer_input", 0)
    .float("gemma4.final_logit_softcapping", 30);
  const ours = ["tokenizer.chat_template", "tokenizer.ggml.add_bos_token", "tokenizer.ggml.add_space_prefix"];
  for (const [key, bytes] of vocabulary)
    if (key.startsWith("tokenizer.") && !ours.includes(key)) metadata.raw(bytes);
  return metadata
    .flag("tokenizer.ggml.add_bos_token", true)
    .flag("tokenizer.ggml.add_space_prefix", false)
    .text("tokenizer.chat_template", template);
}

function textTensors(type: TypeName): HollowTensor[] {
  const norm = (name: string, length: number): HollowTensor => ({ name, shape: [length], type: "F32" });
  const tensors: HollowTensor[] = [
    { name: "token_embd.weight", shape: [WIDE, VOCABULARY], type: EMBEDDING },
    norm("output_norm.weight", WIDE),
    norm("rope_freqs.weight", FULL.length / 2),
  ];
  for (let layer = 0; layer < LAYERS; layer += 1) {
    const { length, heads } = slides(layer) ? SLIDING : FULL;
    const name = (what: string) => `blk.${layer}.${what}.weight`;
    const matrix = (what: string, from: number, to: number): HollowTensor => ({
      name: name(what),
      shape: [from, to],
      type,
    });
    tensors.push(
      ...["attn_norm", "post_attention_norm", "ffn_norm", "post_ffw_norm"].map((what) =>
        norm(name(what), WIDE),
      ),
      matrix("attn_q", WIDE, length * HEADS),
      matrix("attn_k", WIDE, length * heads),
      // Where attention is full, the values are the keys.
      ...(slides(layer) ? [matrix("attn_v", WIDE, length * heads)] : []),
      matrix("attn_output", length * HEADS, WIDE),
      norm(name("attn_q_norm"), length),
      norm(name("attn_k_norm"), length),
      matrix("ffn_gate", WIDE, FEED_FORWARD),
      matrix("ffn_up", WIDE, FEED_FORWARD),
      matrix("ffn_down", FEED_FORWARD, WIDE),
      norm(name("layer_output_scale"), 1),
    );
  }
  return tensors;
}

/** Pixels along an edge of a patch, and samples in a frame of sound. */
const PATCH = 48;
const FRAME = 640;

function projectorMetadata(): Metadata {
  const metadata = new Metadata()
    .text("general.architecture", "clip")
    .text("general.type", "mmproj")
    .flag("clip.has_vision_encoder", true)
    .flag("clip.has_audio_encoder", true)
    .text("clip.vision.projector_type", "gemma4uv")
    .text("clip.audio.projector_type", "gemma4ua")
    .uint32("clip.vision.image_size", 224)
    .uint32("clip.vision.patch_size", 16)
    .uint32("clip.vision.projector.scale_factor", 3)
    .floats("clip.vision.image_mean", [0, 0, 0])
    .floats("clip.vision.image_std", [1, 1, 1])
    .uint32("clip.audio.num_mel_bins", FRAME);
  for (const [kind, length] of [
    ["vision", WIDE],
    ["audio", FRAME],
  ] as const) {
    metadata.uint32(`clip.${kind}.embedding_length`, length).uint32(`clip.${kind}.projection_dim`, WIDE);
    for (const key of ["attention.head_count", "feed_forward_length", "block_count"])
      metadata.uint32(`clip.${kind}.${key}`, 0);
    metadata.float(`clip.${kind}.attention.layer_norm_epsilon`, 1e-6);
  }
  return metadata;
}

function projectorTensors(): HollowTensor[] {
  const pixels = PATCH * PATCH * 3;
  const norms = [pixels, WIDE, WIDE].flatMap((length, index): HollowTensor[] => [
    { name: `v.patch_norm.${index + 1}.weight`, shape: [length], type: "F32", ones: true },
    { name: `v.patch_norm.${index + 1}.bias`, shape: [length], type: "F32" },
  ]);
  return [
    { name: "v.patch_embd.weight", shape: [pixels, WIDE], type: "F32" },
    { name: "v.patch_embd.bias", shape: [WIDE], type: "F32" },
    { name: "v.position_embd.weight", shape: [WIDE, 1120, 2], type: "F32" },
    ...norms,
    { name: "mm.input_projection.weight", shape: [WIDE, WIDE], type: "F16" },
    { name: "mm.a.input_projection.weight", shape: [FRAME, WIDE], type: "F16" },
  ];
}
