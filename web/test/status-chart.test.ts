import { expect, test } from 'vitest';
import { overshoot, silhouette } from '../page/status-chart.js';

/** A second is a unit wide; figures are from 0 to 60, as high as they are. */
function drawn(
	values: readonly (number | null)[],
	at = values.map((_value, index) => 5 * (index + 1)),
): string {
	return silhouette(at, values, 5, seconds => seconds, 60);
}

test('joins consecutive steps in one shape', () => {
	expect(drawn([10, 20])).toBe('M0 60V50H5V40H10V60Z');
});

test('draws a step for the interval before its sample', () => {
	expect(drawn([null, 60])).toBe('M5 60V0H10V60Z');
});

test('leaves gaps for zeros and missing samples', () => {
	expect(drawn([10, 0, 10])).toBe('M0 60V50H5V60ZM10 60V50H15V60Z');
	expect(drawn([10, 10], [5, 60])).toBe('M0 60V50H5V60ZM55 60V50H60V60Z');
	expect(drawn([null, 0])).toBe('');
});

test('tolerates early and late samples', () => {
	expect(drawn([10, 10], [5, 11])).toBe('M0 60V50H5V50H11V60Z');
	expect(drawn([10, 10], [5, 8])).toBe('M0 60V50H5V50H8V60Z');
});

test('marks the steps above the scale', () => {
	expect(overshoot([5, 10, 15], [10, 61, null], 5, seconds => seconds, 60)).toBe('M5 0H10');
});

test('clips values at the scale', () => {
	expect(drawn([90])).toBe('M0 60V0H5V60Z');
});
