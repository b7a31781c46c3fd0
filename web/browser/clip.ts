/** The clip that Chromium's fake microphone plays: a sentence with silence around it. */

import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const here = (path: string): string => fileURLToPath(new URL(path, import.meta.url));

export const ROOT = here('../..').replace(/\/$/, '');
export const CLIP = here('../../testdata/fellow.wav');
export const FAKE_MICROPHONE = here('../test-results/fake-microphone.wav');

/** Chromium takes a moment to open the device; what is played until then is lost. */
const SILENCE_BEFORE_SECONDS = 1;
const SILENCE_AFTER_SECONDS = 3;

const RATE_HZ = 16_000;
const HEADER_BYTES = 44;
const BYTES_A_SECOND = RATE_HZ * Int16Array.BYTES_PER_ELEMENT;

/** How long the fake microphone has something to say. */
export const CLIP_SECONDS = samplesOf(readFileSync(CLIP)).length / BYTES_A_SECOND;
export const FAKE_MICROPHONE_SECONDS = SILENCE_BEFORE_SECONDS + CLIP_SECONDS + SILENCE_AFTER_SECONDS;

/** What is said in it. */
export const TEXT = (
	JSON.parse(readFileSync(here('../../testdata/manifest.json'), 'utf8')) as { file: string; text: string }[]
).find(({ file }) => file === 'fellow.wav')?.text as string;

/** Returns a text's words: how a sentence is spelled may vary, what is said may not. */
export function words(text: string): string[] {
	return text.toLowerCase().match(/[a-z']+/g) ?? [];
}

/** Writes the clip with silence around it. */
export function writeFakeMicrophone(): void {
	const samples = samplesOf(readFileSync(CLIP));
	const data = Buffer.concat([
		Buffer.alloc(SILENCE_BEFORE_SECONDS * BYTES_A_SECOND),
		samples,
		Buffer.alloc(SILENCE_AFTER_SECONDS * BYTES_A_SECOND),
	]);
	const header = Buffer.alloc(HEADER_BYTES);
	header.write('RIFF', 0);
	header.writeUInt32LE(HEADER_BYTES - 8 + data.length, 4);
	header.write('WAVEfmt ', 8);
	header.writeUInt32LE(16, 16);
	header.writeUInt16LE(1, 20); // PCM
	header.writeUInt16LE(1, 22); // mono
	header.writeUInt32LE(RATE_HZ, 24);
	header.writeUInt32LE(BYTES_A_SECOND, 28);
	header.writeUInt16LE(Int16Array.BYTES_PER_ELEMENT, 32);
	header.writeUInt16LE(16, 34);
	header.write('data', 36);
	header.writeUInt32LE(data.length, 40);
	mkdirSync(here('../test-results'), { recursive: true });
	writeFileSync(FAKE_MICROPHONE, Buffer.concat([header, data]));
}

function samplesOf(wav: Buffer): Buffer {
	const at = wav.indexOf('data');
	return wav.subarray(at + 8, at + 8 + wav.readUInt32LE(at + 4));
}
