import { expect, test } from 'vitest';
import { SAMPLE_RATE_HZ } from '../src/audio-format.js';
import { Resampler } from '../src/resampler.js';

function tone(hertz: number, rateHz: number, samples: number): Float32Array {
	return Float32Array.from({ length: samples }, (_, at) => Math.sin((2 * Math.PI * hertz * at) / rateHz));
}

function resampled(resampler: Resampler, samples: Float32Array, piece = samples.length): Float32Array {
	const parts: number[] = [];
	for (let at = 0; at < samples.length; at += piece) {
		parts.push(...resampler.push(samples.subarray(at, at + piece)));
	}
	return Float32Array.from([...parts, ...resampler.flush()]);
}

/** Returns the largest difference, the edges left out: before and after a tone is silence. */
function difference(found: Float32Array, wanted: Float32Array, edge = 100): number {
	const inner = found.subarray(edge, found.length - edge);
	return inner.reduce((most, sample, at) => Math.max(most, Math.abs(sample - (wanted[at + edge] ?? NaN))), 0);
}

test.each([8000, 11_025, 16_000, 22_050, 44_100, 48_000, 96_000, 192_000])(
	'keeps a tone at %i Hz in frequency and time',
	rateHz => {
		const found = resampled(new Resampler(rateHz), tone(1000, rateHz, rateHz / 5));
		expect(found.length).toBe(SAMPLE_RATE_HZ / 5);
		expect(difference(found, tone(1000, SAMPLE_RATE_HZ, found.length))).toBeLessThan(0.002);
	},
);

test('removes frequencies above 8 kHz without aliasing', () => {
	const found = resampled(new Resampler(48_000), tone(10_000, 48_000, 4800));
	expect(difference(found, new Float32Array(found.length))).toBeLessThan(0.001);
});

test('gives the same output for chunks of any size', () => {
	const samples = tone(440, 44_100, 4410);
	const whole = resampled(new Resampler(44_100), samples);
	for (const piece of [1, 7, 441, 1000]) {
		expect(resampled(new Resampler(44_100), samples, piece)).toEqual(whole);
	}
});

test.each([0, 7999, 192_001, 44_100.5, NaN])('rejects %d Hz', rateHz => {
	expect(() => new Resampler(rateHz)).toThrow(expect.objectContaining({ code: 'bad_parameters' }));
});
