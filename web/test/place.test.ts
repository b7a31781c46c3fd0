import { describe, expect, it } from 'vitest';
import { fragmentOf, parsePlace, type Place } from '../page/place.js';

describe('a place', () => {
	it('is Live unless the fragment names another', () => {
		for (const fragment of ['', '#', '#live', '#other', '#recordings-of-mine']) {
			expect(parsePlace(fragment)).toEqual({ name: 'live' });
		}
	});

	it('is found again from its fragment', () => {
		const ids = [null, 'a1', 'a/b?c#d', '%', '录音'];
		const names = ['recordings', 'vocabularies'] as const;
		const places: Place[] = names.flatMap(name => ids.map(id => ({ name, id })));
		for (const place of [{ name: 'live' } as const, ...places]) {
			expect(parsePlace(fragmentOf(place))).toEqual(place);
		}
	});

	it('accepts a damaged ID', () => {
		expect(parsePlace('#recordings/%E0%A4%A')).toEqual({ name: 'recordings', id: '%E0%A4%A' });
	});
});
