import Type, { type Static } from "typebox";

/** What an upload may hold at most. */
export const UPLOAD = {
  /** Bytes of the file. */
  file: 200e6,
  /** Bytes of all files that are taken and asked about at once. */
  together: 600e6,
  /** Seconds of sound. */
  seconds: 7_200,
  /** Ms until it has to have arrived. */
  time: 900_000,
  /** Bytes that stay free on its disk: the record goes on. */
  spare: 500e6,
} as const;

export const TRANSCRIPT_FORMATS = ["json", "text", "verbose_json", "srt", "vtt"] as const;

/** POST /v1/audio/transcriptions, as far as Perch reads it; without the file. */
export const TranscriptionBody = Type.Object({
  model: Type.String({ minLength: 1, maxLength: 200 }),
  language: Type.Optional(
    Type.String({
      pattern: "^[a-zA-Z]{2,3}(-[a-zA-Z0-9]{2,8})*$",
      description: "as ISO 639-1 has it: en, de",
    }),
  ),
  prompt: Type.Optional(
    Type.String({ maxLength: 2_000, description: "Words and spellings that may occur." }),
  ),
  response_format: Type.Optional(Type.Enum([...TRANSCRIPT_FORMATS])),
  temperature: Type.Optional(Type.Number({ minimum: 0, maximum: 1 })),
  stream: Type.Optional(Type.Boolean()),
  timestamp_granularities: Type.Optional(Type.Array(Type.Enum(["segment"]))),
});
export type TranscriptionBody = Static<typeof TranscriptionBody>;

/** The form as it is described: the file is read as it comes, and checked by whoever decodes it. */
export const TranscriptionForm = Type.Object({
  file: Type.String({ format: "binary", description: "WAV, MP3, Ogg, FLAC, M4A, WebM ..." }),
  ...TranscriptionBody.properties,
});
