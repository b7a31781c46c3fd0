import { expect, it } from 'vitest';
import { coarse, RemainingTime } from '../../page/recordings/estimate.js';

it('estimates the remaining time from the progress since the first report', () => {
	const time = new RemainingTime();
	expect(time.record(0.2, 100)).toBeNull(); // as after a reload
	expect(time.record(0.21, 101)).toBeNull();
	expect(time.record(0.22, 110)).toBeNull();
	expect(time.record(0.4, 110)).toEqual({ seconds: expect.closeTo(30) as number, isSlower: false });
	expect(time.record(1, 140)).toEqual({ seconds: 0, isSlower: false });
});

it('never estimates more than before, unless it says that the job is slower', () => {
	for (const stallSeconds of [0, 20, 60, 300]) {
		const time = new RemainingTime();
		const seen = [];
		let now = 0;
		for (let step = 0; step <= 100; step++) {
			now += step === 50 ? stallSeconds : 2 + (step % 3);
			seen.push(time.record(step / 100, now));
		}
		const known = seen.filter(each => each !== null);
		const rises = known.filter((each, index) => each.seconds > (known[index - 1]?.seconds ?? Infinity));
		expect(rises.every(({ isSlower }) => isSlower)).toBe(true);
		expect(known.some(({ isSlower }) => isSlower)).toBe(stallSeconds >= 60);
		expect(known.at(-1)).toEqual({ seconds: 0, isSlower: false });
	}
});

it('no longer calls a job slower that has made up for the delay', () => {
	const time = new RemainingTime();
	time.record(0, 0);
	expect(time.record(0.5, 50)).toMatchObject({ seconds: 50 });
	expect(time.record(0.5, 120)).toEqual({ seconds: 120, isSlower: true });
	expect(time.record(0.6, 121)).toMatchObject({ isSlower: true });
	expect(time.record(0.8, 122)).toEqual({ seconds: expect.closeTo(30.5) as number, isSlower: false });
});

it('rounds durations so that they change seldom', () => {
	expect(coarse(0)).toEqual({ value: 5, unit: 'second' });
	expect(coarse(61)).toEqual({ value: 65, unit: 'second' });
	expect(coarse(95)).toEqual({ value: 2, unit: 'minute' });
	expect(coarse(3600 * 2.4)).toEqual({ value: 2, unit: 'hour' });
});
