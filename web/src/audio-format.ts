/** The server's audio format: 16 kHz, mono, frames of 20 ms. All positions are samples at this rate. */

export const SAMPLE_RATE_HZ = 16_000;
export const FRAME_MILLISECONDS = 20;
export const FRAME_SAMPLES = (SAMPLE_RATE_HZ * FRAME_MILLISECONDS) / 1000;
