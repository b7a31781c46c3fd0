import { afterEach, beforeEach, expect, test } from 'vitest';
import { Client } from '../../src/api/client.js';
import type { Fetch } from '../../src/api/connection.js';
import type { Job } from '../../src/api/results.js';
import { ApiServer, problem } from '../fakes/api-server.js';

const LONG = new Uint8Array(1_000_001);
const RESULT = {
	text: 'Good morning.',
	model: 'base',
	language: 'en',
	language_probability: 1,
	duration_ms: 1500,
	segments: [],
	error: null,
};
const job = (state: string, fields: object = {}): { body: object } => ({
	body: { job_id: 'a', state, progress: 0.5, text: '', result: null, error: null, ...fields },
});
const DONE = job('done', { result: RESULT });
const LOST = { status: 404, body: problem('not_found') };

let server: ApiServer;
let client: Client;
beforeEach(async () => {
	server = await ApiServer.start();
	client = new Client({ url: `${server.url}/`, apiKey: 'secret' });
});
afterEach(() => server.stop());

test('an invalid or missing URL is reported', () => {
	for (const url of ['', '127.0.0.1:6007', 'ftp://h', 'http://h?a=b']) {
		expect(() => new Client({ url }), url).toThrow('is not a URL');
	}
	expect(() => new Client()).toThrow('is not a URL');
	expect(() => new Client({ url: 'http://h/v1/' })).toThrow('Omit /v1');
});

test('another function sends the requests', async () => {
	const urls: string[] = [];
	const send: Fetch = (url, init) => {
		urls.push(url);
		return fetch(url, init);
	};
	server.answers = [DONE];
	await new Client({ url: server.url, fetch: send }).jobs.get('a');
	expect(urls).toEqual([`${server.url}/jobs/a`]);
});

test.each(['', 'secret\n', ' secret', '密钥'])('the invalid key %j is reported', async apiKey => {
	const request = new Client({ url: server.url, apiKey }).jobs.get('a');
	await expect(request).rejects.toMatchObject({ code: 'bad_parameters' });
	expect(server.lines).toEqual([]);
});

test.each(['', '.', '..'])('the ID %j, which would name something else, is refused', async id => {
	await expect(client.jobs.delete(id)).rejects.toMatchObject({ code: 'bad_request' });
	expect(server.lines).toEqual([]);
});

test('what is no recording is reported', async () => {
	for (const audio of ['talk.mp3', null, new Float32Array(16)]) {
		await expect(client.transcribe(audio as never)).rejects.toThrow('openAsBlob');
		await expect(client.jobs.create(audio as never)).rejects.toThrow('openAsBlob');
	}
	expect(() => client.live()).toThrow('need a browser');
	expect(server.lines).toEqual([]);
});

test('a short recording is one request', async () => {
	server.answers = [{ body: RESULT }];
	const transcript = await client.transcribe(new Uint8Array(5), { language: 'en', maxWaitSeconds: 5 });
	expect(transcript.text).toBe('Good morning.');
	expect(server.lines).toEqual(['POST /utterance?language=en&max_wait_s=5']);
});

test('a large recording is a job that is deleted when it was read', async () => {
	server.answers = [job('queued'), job('running'), DONE, DONE];
	const seen: string[] = [];
	const transcript = await client.transcribe(LONG, { onProgress: ({ state }: Job) => seen.push(state) });
	expect(transcript.text).toBe('Good morning.');
	expect(seen).toEqual(['running', 'done']);
	expect(server.lines[0]).toMatch(/^POST \/utterance\?job_id=[-0-9a-f]+&wait=0$/);
	expect(server.lines.at(-1)).toMatch(/^DELETE \/jobs\/[-0-9a-f]+$/);
});

test('a job has the name of its file, or the one that the caller gives', async () => {
	server.answers = [job('queued'), job('queued'), job('queued')];
	const file = Object.assign(new Blob(['sound']), { name: 'talk 1.mp3' });
	await client.jobs.create(file, { jobId: 'a' });
	await client.jobs.create(file, { jobId: 'b', fileName: 'Monday' });
	await client.jobs.create(new Uint8Array(5), { jobId: 'c' });
	expect(server.lines).toEqual([
		'POST /utterance?job_id=a&file_name=talk+1.mp3&wait=0',
		'POST /utterance?job_id=b&file_name=Monday&wait=0',
		'POST /utterance?job_id=c&wait=0',
	]);
});

test('a job that the server has lost is uploaded again, twice', async () => {
	const once = [job('queued'), LOST, LOST];
	server.answers = [...once, job('queued'), DONE, DONE];
	expect((await client.transcribe(LONG)).text).toBe('Good morning.');
	server.answers = [...once, ...once, ...once];
	await expect(client.transcribe(LONG)).rejects.toMatchObject({ code: 'not_found' });
	expect(server.lines.filter(line => line.startsWith('POST'))).toHaveLength(5);
	server.answers = [LOST]; // there is no such path
	await expect(client.transcribe(LONG)).rejects.toMatchObject({ code: 'not_found' });
	expect(server.lines.filter(line => line.startsWith('POST'))).toHaveLength(6);
});

test('a transcription that the caller ends deletes its job', async () => {
	server.answers = [job('running')];
	const controller = new AbortController();
	const reason = new Error('enough');
	const { signal } = controller;
	const ended = client.transcribe(LONG, { signal, onProgress: () => controller.abort(reason) });
	await expect(ended).rejects.toBe(reason);
	expect(server.lines.at(-1)).toMatch(/^DELETE/);
});

test('a wait ends at its timeout, and with the error of a job', async () => {
	server.answers = [job('running')];
	await expect(client.jobs.wait('a', { timeoutSeconds: 0 })).rejects.toMatchObject({
		code: 'deadline_exceeded',
	});
	server.answers = [job('failed', problem('bad_audio'))];
	await expect(client.jobs.wait('a')).rejects.toMatchObject({ code: 'bad_audio' });
	server.answers = [job('cancelled')];
	await expect(client.jobs.wait('a')).rejects.toMatchObject({ code: 'cancelled' });
});

test('a job is waited for even if its server is away at first', async () => {
	server.answers = [null, DONE];
	expect((await client.jobs.wait('a')).text).toBe('Good morning.');
	server.answers = [null];
	const ended = new Client({ url: server.url }).jobs.wait('a', { timeoutSeconds: 0.05 });
	await expect(ended).rejects.toMatchObject({ code: 'unreachable' });
});

test('events go on after a lost connection, until the job has ended', async () => {
	const event = ({ body }: { body: object }): string =>
		`: still working\n\ndata: ${JSON.stringify(body)}\n\n`;
	server.answers = [
		null,
		{ body: event(job('running')) },
		null,
		{ body: event(job('running')) + event(DONE) },
	];
	const states: string[] = [];
	for await (const { state } of client.jobs.events('a')) {
		states.push(state);
	}
	expect(states).toEqual(['running', 'running', 'done']);
	server.answers = [LOST];
	await expect(client.jobs.events('a').next()).rejects.toMatchObject({ code: 'not_found' });
});

test('a voice of a transcript is remembered, listed and deleted', async () => {
	const voice = { id: 'v1', name: 'Ann', speech_s: 21.4, created_at: 1.8e9, is_used: true };
	const known = { id: 'v1', name: 'Ann', speechSeconds: 21.4, createdAt: 1.8e9, isUsed: true };
	const { voices } = new Client({ url: server.url, patienceSeconds: 0 });
	server.answers = [{ status: 201, body: voice }, { body: { voices: [voice] } }, { status: 204, body: '' }];
	const speaker = { name: 'Ann', transcriptId: 't', speaker: 1, consent: true };
	expect(await voices.remember(speaker)).toEqual(known);
	expect(await voices.list()).toEqual([known]);
	await voices.delete('v1');
	expect(server.received.map(({ line }) => line)).toEqual([
		'POST /v1/voices',
		'GET /v1/voices',
		'DELETE /v1/voices/v1',
	]);
	expect(JSON.parse(server.received[0]?.body ?? '')).toEqual({
		name: 'Ann',
		transcript: 't',
		speaker: 1,
		consent: true,
	});
});

test('a vocabulary is stored, changed, read and deleted', async () => {
	const document = {
		...{ name: 'team', default: true, changed_at: 5.5, term_count: 1, replacement_count: 1 },
		terms: [{ term: 'Zyntrix', sounds_like: ['sin tricks'] }],
		...{ replacements: [{ from: 'ok', to: 'OK' }], capitalize: true, final_period: false },
		recent_terms: [{ term: 'Zyntrix', count: 2, last_at: 6.5 }],
	};
	server.answers = [{ body: document }];
	const content = { terms: ['Anna', { term: 'Zyntrix', soundsLike: ['sin tricks'] }], finalPeriod: false };
	const stored = await client.vocabularies.store('team', content);
	expect(stored).toEqual({
		...{ name: 'team', isDefault: true, changedAt: 5.5, termCount: 1, replacementCount: 1 },
		terms: [{ term: 'Zyntrix', soundsLike: ['sin tricks'] }],
		...{ replacements: [{ from: 'ok', to: 'OK' }], capitalize: true, finalPeriod: false },
		recentTerms: [{ term: 'Zyntrix', count: 2, lastAt: 6.5 }],
	});
	const sent = (): unknown => JSON.parse(server.received.at(-1)?.body ?? '');
	const terms = ['Anna', { term: 'Zyntrix', sounds_like: ['sin tricks'] }];
	expect(sent()).toEqual({ terms, replacements: [], final_period: false });
	await client.vocabularies.store('team', stored);
	expect(sent()).toMatchObject({ default: true, capitalize: true, replacements: [{ from: 'ok', to: 'OK' }] });
	await client.vocabularies.change('team', { remove: ['Anna'], removeReplacements: ['ok'], isDefault: true });
	const nothing = { add: [], add_replacements: [] };
	expect(sent()).toEqual({ ...nothing, remove: ['Anna'], remove_replacements: ['ok'], default: true });
	expect(await client.vocabularies.get('team')).toEqual(stored);
	server.answers = [{ body: { vocabularies: [document] } }, { body: 'term\n' }, { status: 204, body: '' }];
	expect((await client.vocabularies.list()).map(({ name }) => name)).toEqual(['team']);
	expect(await client.vocabularies.csv('team')).toBe('term\n');
	await client.vocabularies.delete('team');
	expect(server.lines.slice(2)).toEqual([
		'PATCH /v1/vocabularies/team',
		'GET /v1/vocabularies/team',
		'GET /v1/vocabularies',
		'GET /v1/vocabularies/team?format=csv',
		'DELETE /v1/vocabularies/team',
	]);
});
