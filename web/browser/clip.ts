/** What is spoken into Chromium: a sentence for its fake microphone, and a story that lasts longer. */

import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const here = (path: string): string => fileURLToPath(new URL(path, import.meta.url));

export const ROOT = here('../..').replace(/\/$/, '');
export const TESTDATA = new URL('../../testdata/', import.meta.url);
export const FAKE_MICROPHONE = here('../test-results/fake-microphone.wav');

/** Chromium takes a moment to open the device; what is played until then is lost. */
const SILENCE_BEFORE_SECONDS = 2;
const SILENCE_AFTER_SECONDS = 3;

const RATE_HZ = 16_000;
const HEADER_BYTES = 44;
const BYTES_A_SECOND = RATE_HZ * Int16Array.BYTES_PER_ELEMENT;

/** A recording of testdata, and what is said in it. */
export interface Clip {
	readonly file: string;
	readonly text: string;
	readonly seconds: number;
	/** From where to where it is played, in seconds; the whole if there are none. */
	readonly parts?: readonly (readonly [number, number])[];
}

/** The sentence that the fake microphone plays. */
export const SENTENCE = clip('fellow.wav');
/** Seven sentences: of the other two the model hears other words if a few samples are missing. */
export const STORY = without(clip('story.ogg'), /^(At last|By nightfall)/, [
	[0, 17.2],
	[21.05, 31.5],
]);

/** How long the fake microphone has something to say. */
export const FAKE_MICROPHONE_SECONDS = SILENCE_BEFORE_SECONDS + SENTENCE.seconds + SILENCE_AFTER_SECONDS;

function clip(wanted: string): Clip {
	const manifest = JSON.parse(readFileSync(new URL('manifest.json', TESTDATA), 'utf8')) as {
		file: string;
		name: string;
		text: string;
		samples: number;
	}[];
	const found = manifest.find(({ file }) => file === wanted);
	if (found === undefined) throw new Error(`testdata has no ${wanted}`);
	return { file: wanted, text: found.text, seconds: found.samples / RATE_HZ };
}

function without(whole: Clip, sentences: RegExp, parts: readonly (readonly [number, number])[]): Clip {
	const text = whole.text.split(/(?<=\.) /).filter(sentence => !sentences.test(sentence));
	const seconds = parts.reduce((sum, [from, to]) => sum + to - from, 0);
	return { ...whole, text: text.join(' '), seconds, parts };
}

/** Returns a text's words: how a sentence is spelled may vary, what is said may not. */
export function words(text: string): string[] {
	return text.toLowerCase().match(/[a-z']+/g) ?? [];
}

/** Writes the sentence with silence around it. */
export function writeFakeMicrophone(): void {
	const samples = samplesOf(readFileSync(new URL(SENTENCE.file, TESTDATA)));
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
	const written = `${FAKE_MICROPHONE}.${process.pid}`; // a browser of another worker may be reading it
	writeFileSync(written, Buffer.concat([header, data]));
	renameSync(written, FAKE_MICROPHONE);
}

function samplesOf(wav: Buffer): Buffer {
	const at = wav.indexOf('data');
	return wav.subarray(at + 8, at + 8 + wav.readUInt32LE(at + 4));
}
