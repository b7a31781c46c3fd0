/** What a page reads from `/v1/models`. */

import { expect, test } from 'vitest';
import { servedModels } from '../page/models.js';

test('models are listed with their languages, and other names are left out', () => {
	const body = {
		object: 'list',
		data: [
			{ id: 'whisper-base', root: 'whisper-base', languages: ['en', 'de'], translates: true },
			{ id: 'tiny', root: 'tiny', languages: ['en'] },
			{ id: 'whisper-1', root: 'whisper-base', languages: ['en', 'de'] },
		],
	};
	expect(servedModels(body)).toEqual([
		{ id: 'whisper-base', languages: new Set(['en', 'de']), translates: true },
		{ id: 'tiny', languages: new Set(['en']), translates: false },
	]);
});

test.each([
	[null],
	['text'],
	[{}],
	[{ data: {} }],
	[{ data: [null, 1, {}, { id: 7, root: 7 }, { id: 'whisper-1' }] }],
])('a body of another kind has no models: %j', body => {
	expect(servedModels(body)).toEqual([]);
});

test('languages of another kind are unknown', () => {
	const [unknown, mixed] = servedModels({
		data: [
			{ id: 'a', root: 'a', languages: 'en' },
			{ id: 'b', root: 'b', languages: ['en', 1] },
		],
	});
	expect(unknown?.languages).toBeNull();
	expect(mixed?.languages).toEqual(new Set(['en']));
});
