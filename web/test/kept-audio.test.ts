import { expect, test } from 'vitest';
import { FRAME_SAMPLES } from '../src/audio-format.js';
import { type Frame, KeptAudio, PCM_KEPT_SAMPLES, LEAD_IN_SAMPLES } from '../src/kept-audio.js';

const LEAD_IN_FRAMES = LEAD_IN_SAMPLES / FRAME_SAMPLES;

function kept(frames: number): KeptAudio {
	const audio = new KeptAudio();
	for (let index = 0; index < frames; index++) {
		audio.append(new Int16Array(FRAME_SAMPLES).fill(index), new Uint8Array([index % 256]));
	}
	return audio;
}

const seqs = (found: readonly Frame[]): number[] => found.map(frame => frame.seq);
const sent = (audio: KeptAudio): number[] => seqs(audio.nextFrames(10_000));

test('numbers frames and places them one after another', () => {
	const found = kept(3).nextFrames(10);
	expect(seqs(found)).toEqual([0, 1, 2]);
	expect(found.map(frame => frame.startSample)).toEqual([0, 320, 640]);
	expect(found.map(frame => frame.pcm?.[0])).toEqual([0, 1, 2]);
	expect(found.map(frame => frame.packet?.[0])).toEqual([0, 1, 2]);
});

test('returns frames up to a number or a position', () => {
	const audio = kept(10);
	expect(seqs(audio.nextFrames(3))).toEqual([0, 1, 2]);
	expect(seqs(audio.nextFrames(10, 4 * FRAME_SAMPLES + 1))).toEqual([3, 4]);
	expect(seqs(audio.nextFrames(10, 0))).toEqual([]);
	expect(audio.unsentSamples).toBe(5 * FRAME_SAMPLES);
	expect(audio.nextSample).toBe(5 * FRAME_SAMPLES);
	expect(sent(audio)).toEqual([5, 6, 7, 8, 9]);
	expect(audio.unsentSamples).toBe(0);
});

test.each([
	[0, 0],
	[959, 2],
	[960, 3],
	[961, 3],
	[99_999, 10],
])('continues with the frame that contains sample %i', (sample, first) => {
	const audio = kept(10);
	sent(audio);
	audio.rewind(sample);
	expect(sent(audio)).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9].slice(first));
});

test('keeps safe audio for the lead-in of a new session', () => {
	const audio = kept(LEAD_IN_FRAMES + 10);
	sent(audio);
	audio.forget(LEAD_IN_SAMPLES);
	expect([audio.firstSample, audio.safeSample]).toEqual([0, LEAD_IN_SAMPLES]);
	audio.forget(LEAD_IN_SAMPLES + FRAME_SAMPLES - 1);
	expect(audio.firstSample).toBe(0);
	audio.forget(LEAD_IN_SAMPLES + FRAME_SAMPLES);
	expect(audio.firstSample).toBe(FRAME_SAMPLES);
	expect(audio.keptSamples).toBe(9 * FRAME_SAMPLES);
});

test('ignores a safe position that decreases or exceeds the sent audio', () => {
	const audio = kept(4);
	audio.forget(2 * FRAME_SAMPLES);
	audio.forget(0);
	expect(audio.safeSample).toBe(2 * FRAME_SAMPLES);
	audio.forget(10 ** 9);
	expect(audio.safeSample).toBe(4 * FRAME_SAMPLES);
});

test('never sends dropped audio', () => {
	const audio = kept(LEAD_IN_FRAMES + 10);
	sent(audio);
	audio.forget(LEAD_IN_SAMPLES + 5 * FRAME_SAMPLES);
	audio.rewind(0);
	expect(sent(audio)[0]).toBe(5);
});

test('drops the oldest audio at the limit', () => {
	const audio = kept(10);
	audio.nextFrames(4);
	audio.dropAbove(6 * FRAME_SAMPLES);
	expect([audio.keptSamples, audio.droppedSamples]).toEqual([6 * FRAME_SAMPLES, 0]);
	audio.dropAbove(3 * FRAME_SAMPLES);
	expect([audio.keptSamples, audio.droppedSamples]).toEqual([3 * FRAME_SAMPLES, 3 * FRAME_SAMPLES]);
	expect(audio.safeSample).toBe(7 * FRAME_SAMPLES);
	expect(sent(audio)).toEqual([7, 8, 9]);
});

test('keeps only the packet of an old frame', () => {
	const audio = kept(PCM_KEPT_SAMPLES / FRAME_SAMPLES + 2);
	const found = audio.nextFrames(10_000);
	expect(found.slice(0, 3).map(frame => frame.pcm === null)).toEqual([true, true, false]);
	expect(found.at(-1)?.pcm).not.toBeNull();
	expect(found.every(frame => frame.packet !== null)).toBe(true);
});

test('keeps samples without packets regardless of age', () => {
	const audio = new KeptAudio();
	for (let index = 0; index < PCM_KEPT_SAMPLES / FRAME_SAMPLES + 2; index++) {
		audio.append(new Int16Array(FRAME_SAMPLES), null);
	}
	expect(audio.nextFrames(10_000).every(frame => frame.pcm !== null)).toBe(true);
});

test('drops frames that can no longer be sent as samples', () => {
	const audio = kept(PCM_KEPT_SAMPLES / FRAME_SAMPLES + 3);
	expect(sent(audio)[0]).toBe(0);
	audio.rewind(0);
	audio.dropWithoutPcm();
	expect(audio.firstSample).toBe(3 * FRAME_SAMPLES);
	expect(sent(audio)[0]).toBe(3);
});
