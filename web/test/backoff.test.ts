import { expect, test } from 'vitest';
import { Backoff, DEFAULT_RULES } from '../src/backoff.js';

const RULES = { ...DEFAULT_RULES, firstDelaySeconds: 1, maxDelaySeconds: 8 };
const backoff = (chance = 1): Backoff => new Backoff(RULES, () => chance);
const delays = (of: Backoff, number: number): (number | null)[] =>
	Array.from({ length: number }, () => of.nextDelaySeconds(0, 900));

test('each wait is twice as long as the one before, up to the longest', () => {
	expect(delays(backoff(), 6)).toEqual([1, 2, 4, 8, 8, 8]);
});

test('chance takes up to half of it away', () => {
	expect(delays(backoff(0), 5)).toEqual([0.5, 1, 2, 4, 4]);
});

test('real work makes it quick again', () => {
	const one = backoff();
	delays(one, 5);
	one.worked();
	expect(delays(one, 2)).toEqual([1, 2]);
});

test('what the server asks for comes on top', () => {
	expect(backoff().nextDelaySeconds(0, 900, 5)).toBe(6);
});

test('patience counts from the first failure in a row', () => {
	const one = backoff();
	expect(one.nextDelaySeconds(100, 10)).toBe(1);
	expect(one.nextDelaySeconds(107, 10)).toBe(2);
	expect(one.nextDelaySeconds(107, 10)).toBeNull();
	one.worked();
	expect(one.nextDelaySeconds(200, 10)).toBe(1);
});

test('a wait that would outlast the patience is not begun', () => {
	expect(backoff().nextDelaySeconds(0, 0.9)).toBeNull();
	expect(backoff().nextDelaySeconds(0, 1)).toBe(1);
});

test('years of failures are no number too large', () => {
	const one = backoff();
	delays(one, 2000);
	expect(delays(one, 1)).toEqual([8]);
});
