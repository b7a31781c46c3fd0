import { describe, expect, it } from 'vitest';
import { Lateness } from '../page/lateness.js';

describe('captions', () => {
	it('are late after 3 s of speech without text', () => {
		const lateness = new Lateness(100, 600);
		expect(lateness.poll(102.9, 3)).toBe(false);
		expect(lateness.poll(103, 3)).toBe(true);
		lateness.text(104);
		expect(lateness.poll(106.9, 8)).toBe(false); // a long sentence, with partials
		expect(lateness.poll(107, 8)).toBe(true);
	});

	it('stay late while their text is of much earlier speech', () => {
		const lateness = new Lateness(0, 600);
		lateness.text(10);
		expect([12, 40, 12, 11, 10, 12].map(keptSeconds => lateness.poll(12, keptSeconds))).toEqual(
			Array(6).fill(false),
		);
		expect(lateness.poll(13, 30)).toBe(true);
		lateness.text(14);
		expect([29, 11, 10, 11].map(keptSeconds => lateness.poll(14, keptSeconds))).toEqual([
			...[true, true, false, false],
		]);
	});

	it('are not late while nobody speaks', () => {
		expect(new Lateness(0, 600).poll(60, 2)).toBe(false);
	});

	it('may miss the oldest speech after an outage longer than what is kept', () => {
		const lateness = new Lateness(0, 600);
		const overflowed = (keptSeconds: number): boolean => {
			lateness.poll(700, keptSeconds);
			return lateness.hasOverflowed;
		};
		expect([598, 599, 590, 300, 299, 590].map(overflowed)).toEqual([false, true, true, true, false, false]);
	});
});
