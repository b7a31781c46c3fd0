import { expect, it } from 'vitest';
import { coarse, RemainingTime } from '../../page/recordings/estimate.js';

it('estimates the remaining time from the progress since the first report', () => {
	const time = new RemainingTime();
	expect(time.record(0.2, 100)).toBeNull(); // as after a reload
	expect(time.record(0.21, 101)).toBeNull();
	expect(time.record(0.22, 110)).toBeNull();
	expect(time.record(0.4, 110)).toBeCloseTo(30);
	expect(time.record(1, 140)).toBe(0);
});

it('rounds durations so that they change seldom', () => {
	expect(coarse(0)).toEqual({ value: 5, unit: 'second' });
	expect(coarse(61)).toEqual({ value: 65, unit: 'second' });
	expect(coarse(95)).toEqual({ value: 2, unit: 'minute' });
	expect(coarse(3600 * 2.4)).toEqual({ value: 2, unit: 'hour' });
});
