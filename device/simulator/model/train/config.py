"""Hyper-parameters of the small model: Gemma 4 12B Unified's architecture at a two-thousandth of its size."""

EMBED = 256
LAYERS = 5
HEADS = 4
HEAD_SIZE = 64
KV_HEADS_SLIDING = 2
KV_HEADS_FULL = 1
FEED_FORWARD = 768
# The last layer attends to everything and uses its keys as values, as Gemma 4's full layers do.
SLIDING = [True] * (LAYERS - 1) + [False]
WINDOW = 512
CONTEXT = 1024
EPSILON = 1e-6
SOFT_CAP = 30.0
ROPE_BASE_FULL = 1e6
ROPE_BASE_SLIDING = 1e4
ROPE_SHARE_FULL = 0.25
VISION_EMBED = 256
PATCH = 48
PATCH_POSITIONS = 64
AUDIO_FRAME = 640
VOCABULARY = 1024

# The heads of the auxiliary losses read what this many layers have made of the media.
AUXILIARY_LAYERS = 3
# Classes of a patch's targets: lamp, tens digit, units digit, heads of people.
PATCH_CLASSES = [5, 11, 11, 4]
# Classes of a frame's target before those of the words: silence, hum, hiss, grinding, alarm.
FRAME_CLASSES = 5
UNKNOWN_TARGET = 255
# What the mean of an image's patches, and the last frame of a sound, must tell, with the number of classes.
IMAGE_FIELDS = {"people": 4, "lying": 2, "camera": 5, "belt": 4, "cup": 3, "book": 3, "bag": 3}
SOUND_FIELDS = {"sound": 4, "words": 33, "loudness": 4, "machine": 5}

SPECIAL = [
    "<pad>", "<eos>", "<bos>", "<unk>", "<mask>", "<|turn>", "<turn|>", "<|image>", "<image|>", "<|audio>",
    "<audio|>", "<|image|>", "<|audio|>", "<|channel>", "<channel|>", "<|tool_call>", "<tool_call|>",
    "<|tool_response>", "<tool_response|>", '<|"|>', "<|think|>",
]
# Special tokens that a person may see in an answer.
VISIBLE = {
    "<|channel>", "<channel|>", "<|tool_call>", "<tool_call|>", "<|tool_response>", "<tool_response|>", '<|"|>',
}
# llama-server joins the parts of a message without anything between media and what follows them.
TEMPLATE = (
    "{{ bos_token }}{% for m in messages %}"
    "{{ '<|turn>' + ('model' if m['role']=='assistant' else m['role']) + '\\n' }}"
    "{% if m['content'] is string %}{{ m['content'] | trim }}{% else %}{% for p in m['content'] %}"
    "{% if p['type']=='text' %}{{ p['text'] | trim }}{% endif %}{% endfor %}{% endif %}"
    "{{ '<turn|>\\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|turn>model\\n' }}{% endif %}"
)
