import { expect, test } from 'vitest';
import { Backoff, DEFAULT_RULES } from '../src/backoff.js';

const RULES = { ...DEFAULT_RULES, firstDelaySeconds: 1, maxDelaySeconds: 8 };
const backoff = (chance = 1): Backoff => new Backoff(RULES, () => chance);
const delays = (of: Backoff, number: number): (number | null)[] =>
	Array.from({ length: number }, () => of.nextDelaySeconds(0, 900));

test('doubles each delay up to the maximum', () => {
	expect(delays(backoff(), 6)).toEqual([1, 2, 4, 8, 8, 8]);
});

test('jitter removes up to half of a delay', () => {
	expect(delays(backoff(0), 5)).toEqual([0.5, 1, 2, 4, 4]);
});

test('completed work resets the delay', () => {
	const one = backoff();
	delays(one, 5);
	one.worked();
	expect(delays(one, 2)).toEqual([1, 2]);
});

test('adds the delay that the server requests', () => {
	expect(backoff().nextDelaySeconds(0, 900, 5)).toBe(6);
});

test('measures patience from the first of consecutive failures', () => {
	const one = backoff();
	expect(one.nextDelaySeconds(100, 10)).toBe(1);
	expect(one.nextDelaySeconds(107, 10)).toBe(2);
	expect(one.nextDelaySeconds(107, 10)).toBeNull();
	one.worked();
	expect(one.nextDelaySeconds(200, 10)).toBe(1);
});

test('gives up before a delay that would exceed the patience', () => {
	expect(backoff().nextDelaySeconds(0, 0.9)).toBeNull();
	expect(backoff().nextDelaySeconds(0, 1)).toBe(1);
});

test('does not overflow after years of failures', () => {
	const one = backoff();
	delays(one, 2000);
	expect(delays(one, 1)).toEqual([8]);
});

test('has another maximum on demand', () => {
	const one = backoff();
	delays(one, 5);
	expect(one.nextDelaySeconds(0, 900, 0, 1)).toBe(1);
	expect(delays(one, 1)).toEqual([8]);
});
