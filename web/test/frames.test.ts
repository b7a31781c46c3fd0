import { expect, test } from 'vitest';
import { FRAME_SAMPLES } from '../src/audio-format.js';
import { FrameCutter } from '../src/frames.js';

const counting = (samples: number): Float32Array =>
	Float32Array.from({ length: samples }, (_, at) => (at + 1) / 32_768);

test('cuts samples into frames, whatever the size of the input', () => {
	const cutter = new FrameCutter(16_000);
	const samples = counting(3 * FRAME_SAMPLES);
	const frames = [
		[0, 1],
		[1, 319],
		[319, 320],
		[320, 960],
	].flatMap(([start, end]) => cutter.push(samples.subarray(start, end)));
	expect(frames.map(frame => frame.length)).toEqual([320, 320, 320]);
	expect(frames.flatMap(frame => [...frame])).toEqual(Array.from({ length: 960 }, (_, at) => at + 1));
});

test('clips loud samples', () => {
	const samples = new Float32Array(FRAME_SAMPLES);
	samples.set([-1, 1, -1.5, 1.5, 0.5]);
	const [frame] = new FrameCutter(16_000).push(samples);
	expect([...(frame?.subarray(0, 5) ?? [])]).toEqual([-32_768, 32_767, -32_768, 32_767, 16_384]);
});

test('pads the last frame with silence', () => {
	const cutter = new FrameCutter(16_000);
	cutter.push(counting(1));
	const [frame, ...more] = cutter.finish(0);
	expect(more).toEqual([]);
	expect([frame?.length, frame?.[0], frame?.[1]]).toEqual([320, 1, 0]);
	expect(cutter.finish(0)).toEqual([]);
});

test('adds the requested silence', () => {
	const cutter = new FrameCutter(16_000);
	cutter.push(counting(FRAME_SAMPLES));
	expect(cutter.finish(104)).toHaveLength(1);
});

test('resamples other rates, including the end', () => {
	const cutter = new FrameCutter(48_000);
	const frames = [...cutter.push(new Float32Array(9600).fill(0.5)), ...cutter.finish(0)];
	expect(frames).toHaveLength(10);
	expect(Math.abs((frames[5]?.[0] ?? 0) - 16_384)).toBeLessThan(3);
});
