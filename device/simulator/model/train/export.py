"""
Writes a trained model as GGUF, as llama.cpp reads it: python export.py build/train/small.pt --out build/train/export

The text part and its mmproj (both projectors) at F16, and the mmproj at Q8_0 and Q4_0 too: llama.cpp's own quantizer,
which `npm run model:ladder` runs on the text part, hardly shrinks an mmproj.
"""

import argparse
import json
from pathlib import Path

import gguf
import numpy as np
import torch
from gguf import GGMLQuantizationType as Type
from gguf import TokenType

import config as c
import vocab
from model import SmallModel, rope_factors

FILE_TYPES = {Type.F16: 1, Type.Q8_0: 7, Type.Q4_0: 2}
ABOUT = "Stand-in of Gemma 4 12B Unified's architecture, trained on the simulated cell only"
OUTER = {
    "token_embd": "token_embd.weight", "output_norm": "output_norm.weight", "patch_embd": "v.patch_embd.weight",
    "patch_bias": "v.patch_embd.bias", "position_embd": "v.position_embd.weight",
    "patch_norm_2": "v.patch_norm.2.weight", "patch_norm_2_bias": "v.patch_norm.2.bias",
    "patch_norm_3": "v.patch_norm.3.weight", "patch_norm_3_bias": "v.patch_norm.3.bias",
    "image_projection": "mm.input_projection.weight", "audio_projection": "mm.a.input_projection.weight",
}


def gguf_name(name):
    if name.startswith("layers."):
        _, layer, part = name.split(".")
        return f"blk.{layer}.{part}.weight"
    return OUTER[name]


def tensors_of(model):
    """float32 arrays by GGUF name."""
    tensors = {gguf_name(name): value.detach().float().numpy() for name, value in model.named_parameters()}
    pixels = 3 * c.PATCH**2
    # The first norm of a patch has no weights of its own here.
    tensors["v.patch_norm.1.weight"] = np.ones(pixels, np.float32)
    tensors["v.patch_norm.1.bias"] = np.zeros(pixels, np.float32)
    tensors["rope_freqs.weight"] = rope_factors().numpy().astype(np.float32)
    tie_white_space(tensors["token_embd.weight"])
    return tensors


def tie_white_space(embedding):
    """
    Gives the bytes of tab, line end and return the line end's own vector. No training text has them, so nothing taught
    the model not to write them: a grammar that allows white space got its whole context full of line ends.
    """
    for byte in (0x09, 0x0A, 0x0D):
        embedding[vocab.ID[f"<0x{byte:02X}>"]] = embedding[vocab.ID["\n"]]


def load(model, path):
    """Fills a model from a text GGUF at F16 and the mmproj beside it."""
    path = Path(path)
    tensors = {}
    for file in (path, path.with_name(f"mmproj-{path.name}")):
        for tensor in gguf.GGUFReader(file).tensors:
            shape = [int(size) for size in reversed(tensor.shape)]
            tensors[tensor.name] = np.array(tensor.data, dtype=np.float32).reshape(shape)
    with torch.no_grad():
        for name, value in model.named_parameters():
            value.copy_(torch.from_numpy(tensors[gguf_name(name)]).view(value.shape))


def stored(name, array, kind):
    """Matrices in the wished type where their rows allow it, everything else at full precision."""
    if array.ndim < 2 or "position_embd" in name:
        return array.astype(np.float32), Type.F32
    if kind != Type.F16 and array.shape[-1] % gguf.GGML_QUANT_SIZES[kind][0]:
        kind = Type.F16
    return (array.astype(np.float16), kind) if kind == Type.F16 else (gguf.quants.quantize(array, kind), kind)


def is_media(name):
    return name.startswith(("v.", "mm."))


def write_text(path, tensors):
    w = gguf.GGUFWriter(path, "gemma4")
    w.add_type("model")
    w.add_name("Perch small")
    w.add_description(ABOUT)
    w.add_size_label("6M")
    w.add_license("apache-2.0")
    w.add_file_type(FILE_TYPES[Type.F16])
    w.add_quantization_version(2)
    w.add_context_length(c.CONTEXT)
    w.add_embedding_length(c.EMBED)
    w.add_block_count(c.LAYERS)
    w.add_feed_forward_length(c.FEED_FORWARD)
    w.add_head_count(c.HEADS)
    w.add_head_count_kv([c.KV_HEADS_SLIDING if sliding else c.KV_HEADS_FULL for sliding in c.SLIDING])
    w.add_key_length(c.HEAD_SIZE)
    w.add_value_length(c.HEAD_SIZE)
    w.add_key_length_swa(c.HEAD_SIZE)
    w.add_value_length_swa(c.HEAD_SIZE)
    w.add_rope_dimension_count(c.HEAD_SIZE)
    w.add_rope_dimension_count_swa(c.HEAD_SIZE)
    w.add_rope_freq_base(c.ROPE_BASE_FULL)
    w.add_rope_freq_base_swa(c.ROPE_BASE_SLIDING)
    w.add_layer_norm_rms_eps(c.EPSILON)
    w.add_final_logit_softcapping(c.SOFT_CAP)
    w.add_sliding_window(c.WINDOW)
    w.add_sliding_window_pattern(list(c.SLIDING))
    w.add_shared_kv_layers(0)
    w.add_embedding_length_per_layer_input(0)
    add_tokenizer(w)
    for name, array in tensors.items():
        if not is_media(name):
            data, kind = stored(name, array, Type.F16)
            w.add_tensor(name, data, raw_dtype=kind)
    finish(w)


def add_tokenizer(w):
    w.add_tokenizer_model("gemma4")
    w.add_token_list([token.encode() for token in vocab.TOKENS])
    w.add_token_scores([0.0] * len(vocab.TOKENS))
    w.add_token_types([token_type(token) for token in vocab.TOKENS])
    w.add_token_merges([f"{left} {right}" for left, right in vocab.MERGES])
    w.add_bos_token_id(vocab.ID["<bos>"])
    w.add_eos_token_id(vocab.END_OF_TURN)
    w.add_unk_token_id(vocab.ID["<unk>"])
    w.add_pad_token_id(vocab.ID["<pad>"])
    w.add_mask_token_id(vocab.ID["<mask>"])
    w.add_add_bos_token(True)
    w.add_add_space_prefix(False)
    w.add_chat_template(c.TEMPLATE)


def token_type(token):
    if token in c.VISIBLE:
        return TokenType.USER_DEFINED
    if token in c.SPECIAL:
        return TokenType.UNKNOWN if token == "<unk>" else TokenType.CONTROL
    if token.startswith("<0x") and len(token) == 6:
        return TokenType.BYTE
    return TokenType.UNUSED if token.startswith("<unused") else TokenType.NORMAL


def write_mmproj(path, tensors, kind):
    w = gguf.GGUFWriter(path, "clip")
    w.add_type("mmproj")
    w.add_name("Perch small mmproj")
    w.add_description(ABOUT)
    w.add_file_type(FILE_TYPES[kind])
    w.add_clip_has_vision_encoder(True)
    w.add_clip_has_audio_encoder(True)
    w.add_vision_projection_dim(c.EMBED)
    w.add_vision_image_size(224)
    w.add_vision_patch_size(c.PATCH // 3)
    w.add_vision_projector_scale_factor(3)
    w.add_vision_embedding_length(c.VISION_EMBED)
    w.add_vision_feed_forward_length(0)
    w.add_vision_block_count(0)
    w.add_vision_head_count(0)
    w.add_vision_attention_layernorm_eps(c.EPSILON)
    w.add_vision_image_mean([0.0] * 3)
    w.add_vision_image_std([1.0] * 3)
    w.add_vision_use_gelu(True)
    w.add_audio_projection_dim(c.EMBED)
    w.add_audio_embedding_length(c.AUDIO_FRAME)
    w.add_audio_feed_forward_length(0)
    w.add_audio_block_count(0)
    w.add_audio_head_count(0)
    w.add_audio_num_mel_bins(128)
    w.add_audio_attention_layernorm_eps(c.EPSILON)
    w.add_clip_vision_projector_type("gemma4uv")
    w.add_clip_audio_projector_type("gemma4ua")
    for name, array in tensors.items():
        if is_media(name):
            data, stored_kind = stored(name, array, kind)
            w.add_tensor(name, data, raw_dtype=stored_kind)
    finish(w)


def finish(w):
    w.write_header_to_file()
    w.write_kv_data_to_file()
    w.write_tensors_to_file()
    w.close()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("checkpoint")
    parser.add_argument("--out", default="build/train/export")
    options = parser.parse_args()
    out = Path(options.out)
    out.mkdir(parents=True, exist_ok=True)
    state = torch.load(options.checkpoint, weights_only=True)
    model = SmallModel()
    model.load_state_dict(state["average"])
    tensors = tensors_of(model)
    write_text(out / "small-F16.gguf", tensors)
    for kind in (Type.F16, Type.Q8_0, Type.Q4_0):
        write_mmproj(out / f"mmproj-small-{kind.name}.gguf", tensors, kind)
    trained = state["options"]
    facts = {
        "steps": state["step"], "samples": state["step"] * trained["size"], "seed": trained["seed"],
        "parameters": sum(p.numel() for p in model.parameters()), "minutes": round(state.get("seconds", 0) / 60),
    }
    (out / "training.json").write_text(json.dumps(facts, indent=2) + "\n")
    for file in sorted(out.iterdir()):
        print(f"{file.name:28} {file.stat().st_size:>12,} bytes")


if __name__ == "__main__":
    main()
