import Type, { type Static } from "typebox";
import { Duration, Id, Secret } from "./units.ts";

const closed = { additionalProperties: false };
const unit = { minimum: 0, maximum: 1 };

/** A polygon on the frame, as fractions of its width and height: [[x, y], …]. */
const Polygon = Type.Array(Type.Tuple([Type.Number(unit), Type.Number(unit)]), { minItems: 3, maxItems: 32 });

const pacing = {
  interval: Duration({ default: "1s", description: "Shortest time between two passes." }),
  heartbeat: Duration({
    default: "30s",
    description: "Something passes at least this often even when nothing happens. 0s: never.",
  }),
};

export const MotionGate = Type.Object(
  {
    kind: Type.Literal("motion"),
    threshold: Type.Number({
      minimum: 1,
      maximum: 255,
      default: 18,
      description: "Change of a pixel's luma that counts, 1 to 255.",
    }),
    area: Type.Number({
      ...unit,
      default: 0.004,
      description: "Share of the unmasked frame that has to change, 0 to 1.",
    }),
    masks: Type.Array(Polygon, {
      default: [],
      maxItems: 16,
      description: "Zones that are not looked at, polygons in fractions of the frame.",
    }),
    ...pacing,
  },
  closed,
);
export const FrameIntervalGate = Type.Object({ kind: Type.Literal("interval"), ...pacing }, closed);
export const CameraGate = Type.Union([MotionGate, FrameIntervalGate], {
  discriminator: { propertyName: "kind" },
  default: { kind: "motion" },
  description: "The cheap test that decides whether a frame is worth the model.",
});

const clip = {
  preroll: Duration({ default: "200ms", description: "Sound kept from before the onset." }),
  silence: Duration({ default: "400ms", description: "Quiet that ends a clip." }),
  minimum: Duration({ default: "200ms", description: "Shorter sounds are let go." }),
  maximum: Duration({
    default: "15s",
    description: "A longer sound is cut here (15 s at most: the model hears badly beyond).",
  }),
  heartbeat: pacing.heartbeat,
};
export const VoiceGate = Type.Object(
  {
    kind: Type.Literal("voice"),
    aggressiveness: Type.Integer({
      minimum: 0,
      maximum: 3,
      default: 2,
      description: "0 takes much for a voice, 3 little.",
    }),
    ...clip,
  },
  closed,
);
export const SoundGate = Type.Object(
  {
    kind: Type.Literal("sound"),
    above: Type.Number({
      minimum: 3,
      maximum: 60,
      default: 12,
      description: "dB above the background level that count as a sound.",
    }),
    floor: Type.Number({
      minimum: -90,
      maximum: 0,
      default: -50,
      description: "dBFS below which nothing counts as a sound.",
    }),
    ...clip,
  },
  closed,
);
export const ClipIntervalGate = Type.Object(
  {
    kind: Type.Literal("interval"),
    interval: Duration({ default: "10s", description: "A clip is taken this often." }),
    length: Duration({ default: "2s", description: "Length of the clip, 15s at most." }),
  },
  closed,
);
export const MicrophoneGate = Type.Union([VoiceGate, SoundGate, ClipIntervalGate], {
  discriminator: { propertyName: "kind" },
  default: { kind: "voice" },
  description: "The cheap test that cuts sound into clips worth the model.",
});

const common = {
  id: Id("Name of the feed in topics, paths and rules."),
  title: Type.Optional(Type.String({ maxLength: 80 })),
  enabled: Type.Boolean({ default: true }),
  user: Type.Optional(Type.String({ minLength: 1, description: "User of an RTSP or HTTP source." })),
  password: Type.Optional(Secret("Password of an RTSP or HTTP source: ${env:NAME} or ${file:PATH}.")),
  transport: Type.Enum(["tcp", "udp"], { default: "tcp", description: "RTSP over TCP or UDP." }),
  loop: Type.Boolean({ default: false, description: "Play a file again at its end." }),
  realtime: Type.Boolean({
    default: true,
    description: "Play a file at its own pace; false: as fast as it goes.",
  }),
  idle: Type.Boolean({
    default: false,
    description: "The source may rightly send nothing for long; silence is not a stall.",
  }),
};

export const CameraFeed = Type.Object(
  {
    kind: Type.Literal("camera"),
    ...common,
    source: Type.String({
      minLength: 3,
      pattern: "^(v4l2:/dev/|rtsps?://|https?://|file:|sim:)",
      description:
        "v4l2:/dev/video0, rtsp://…, http://… (MJPEG or a snapshot), file:PATH, sim:cell or sim:SCENARIO.yaml.",
    }),
    http: Type.Enum(["mjpeg", "snapshot"], {
      default: "mjpeg",
      description: "What an http:// source sends.",
    }),
    fps: Type.Number({
      exclusiveMinimum: 0,
      maximum: 30,
      default: 5,
      description: "Frames a second that the gate looks at.",
    }),
    hardware: Type.Enum(["none", "auto", "vaapi", "cuda", "qsv", "v4l2m2m", "nvv4l2dec"], {
      default: "none",
      description: "Hardware that decodes the video.",
    }),
    gate: CameraGate,
  },
  closed,
);
export const MicrophoneFeed = Type.Object(
  {
    kind: Type.Literal("microphone"),
    ...common,
    source: Type.String({
      minLength: 3,
      pattern: "^(alsa:|pulse:|rtsps?://|https?://|file:|sim:)",
      description:
        "alsa:hw:1,0, pulse:default, rtsp://… (its sound), file:PATH, sim:cell or sim:SCENARIO.yaml.",
    }),
    gate: MicrophoneGate,
  },
  closed,
);
export const Feed = Type.Union([CameraFeed, MicrophoneFeed], { discriminator: { propertyName: "kind" } });

export type CameraFeed = Static<typeof CameraFeed>;
export type MicrophoneFeed = Static<typeof MicrophoneFeed>;
export type Feed = CameraFeed | MicrophoneFeed;
export type MotionGate = Static<typeof MotionGate>;
export type VoiceGate = Static<typeof VoiceGate>;
export type SoundGate = Static<typeof SoundGate>;
export type CameraGate = Static<typeof CameraGate>;
export type MicrophoneGate = Static<typeof MicrophoneGate>;
