/** What a page reads from `/v1/models`. */

import { expect, test } from 'vitest';
import { CAPTION_TEXTS, dataFlow } from '../page/caption-texts.js';
import { dataFlowOf, servedApis, servedModels } from '../page/models.js';

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

const LOCAL = { recognition: 'server', job_audio: 'server', database: 'server', keeps_transcripts: false };

test.each([
	[LOCAL, ['Nothing leaves this server: no cloud service hears you.']],
	[{ ...LOCAL, recognition: 'recognisers' }, [/^Speech is sent to .* recognisers/]],
	[{ ...LOCAL, job_audio: 's3' }, ['Speech is recognised on this server.', /^Audio .* S3/]],
	[{ ...LOCAL, database: 'postgresql' }, ['Speech is recognised on this server.', /PostgreSQL/]],
	[
		{ ...LOCAL, recognition: 'recognisers', job_audio: 's3', database: 'postgresql' },
		[/recognisers/, /S3/, /SQL/],
	],
	[{ ...LOCAL, job_audio: 'of another release' }, [/on this server/, /S3/]],
])('the page says where speech and text go: %j', (data_flow, sentences) => {
	const flow = dataFlowOf({ data_flow });
	const text = flow === null ? '' : dataFlow(flow)(CAPTION_TEXTS.en);
	expect(text.split('\n')).toEqual(sentences.map((sentence): unknown => expect.stringMatching(sentence)));
});

test('it says nothing if the server does not', () => {
	expect(dataFlowOf({ data: [] })).toBeNull();
	expect(dataFlowOf({ data_flow: 'server' })).toBeNull();
});

test('the names of the APIs are known if the server says them', () => {
	expect(servedApis({ apis: ['native', 1, 'vocabularies'] })).toEqual(new Set(['native', 'vocabularies']));
	expect(servedApis({ apis: 'native' })).toEqual(new Set());
	expect(servedApis(null)).toEqual(new Set());
});
