// What make-voices.mjs does to a recording: resampled to 16 kHz, trimmed, packed as WAV.

const RATE = 16_000;
/** WAV format tags: signed 16 bit, and G.711 mu-law. */
export const PCM = 1;
export const U_LAW = 7;
/** Taps of the low-pass on either side, in samples of the lower rate. */
const REACH = 16;
/** What stays below is cut off at both ends, but for so many samples. */
const THRESHOLD = 0.01 * 32768;
const KEPT_BEFORE = 200;
const KEPT_AFTER = 400;

/** Samples of another rate at 16 kHz, through a sinc low-pass with a Blackman window (cut at 7.6 kHz at most). */
export function polyphase(pcm, rate) {
  if (rate === RATE) return pcm;
  const lower = Math.min(1, RATE / rate);
  const cut = 0.95 * lower;
  const reach = Math.ceil(REACH / lower);
  const length = Math.floor((pcm.length * RATE) / rate);
  return Int16Array.from({ length }, (_, i) => {
    // In RATE-ths of an input sample, so that phases repeat exactly.
    const phase = (i * rate) % RATE;
    const at = (i * rate - phase) / RATE;
    const kernel = kernels.get(rate * RATE + phase) ?? kernelOf(phase / RATE, cut, reach);
    kernels.set(rate * RATE + phase, kernel);
    let sum = 0;
    for (let k = 0; k < kernel.length; k += 1) sum += kernel[k] * (pcm[at + k - reach + 1] ?? 0);
    return Math.max(-32768, Math.min(32767, Math.round(sum)));
  });
}

const kernels = new Map();

function kernelOf(phase, cut, reach) {
  const kernel = Float64Array.from({ length: 2 * reach }, (_, k) => {
    const t = k - reach + 1 - phase;
    const sinc = t === 0 ? cut : Math.sin(Math.PI * cut * t) / (Math.PI * t);
    const turn = (Math.PI * t) / reach;
    return sinc * (0.42 + 0.5 * Math.cos(turn) + 0.08 * Math.cos(2 * turn));
  });
  const sum = kernel.reduce((total, value) => total + value, 0);
  return kernel.map((value) => value / sum);
}

export function trimmed(samples) {
  const loud = (sample) => Math.abs(sample) > THRESHOLD;
  const from = Math.max(0, samples.findIndex(loud) - KEPT_BEFORE);
  return samples.slice(from, samples.findLastIndex(loud) + KEPT_AFTER);
}

/** One byte a sample, ITU-T G.711. */
export function muLawOf(samples) {
  return Uint8Array.from(samples, (sample) => {
    const sign = sample < 0 ? 0x80 : 0;
    const biased = Math.min(Math.abs(sample), 32635) + 132;
    const exponent = Math.floor(Math.log2(biased)) - 7;
    const mantissa = (biased >> (exponent + 3)) & 0x0f;
    return ~(sign | (exponent << 4) | mantissa) & 0xff;
  });
}

/** A mono WAV file at 16 kHz with a header of 44 bytes. */
export function wavOf(format, samples) {
  const { BYTES_PER_ELEMENT: bytes, byteLength } = samples;
  const header = Buffer.alloc(44);
  header.write("RIFF", 0);
  header.writeUInt32LE(36 + byteLength, 4);
  header.write("WAVEfmt ", 8);
  header.writeUInt32LE(16, 16);
  header.writeUInt16LE(format, 20);
  header.writeUInt16LE(1, 22);
  header.writeUInt32LE(RATE, 24);
  header.writeUInt32LE(RATE * bytes, 28);
  header.writeUInt16LE(bytes, 32);
  header.writeUInt16LE(8 * bytes, 34);
  header.write("data", 36);
  header.writeUInt32LE(byteLength, 40);
  return Buffer.concat([header, Buffer.from(samples.buffer, samples.byteOffset, byteLength)]);
}
