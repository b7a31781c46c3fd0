/** The client of the HTTP API, in Node and in a page, with a real server that keeps transcripts. */

import { openAsBlob } from 'node:fs';
import type { Client } from '../src/index.js';
import { Client as NodeClient } from '../src/index.js';
import { API_KEY, Auricle } from './auricle.js';
import { ROOT, SENTENCE, words } from './clip.js';
import { expect, test } from './fixtures.js';
import { Gateway } from './gateway.js';

declare global {
	var api: Client;
}

let server: Auricle;
let client: NodeClient;

test.beforeAll(async () => {
	server = await Auricle.start({ AURICLE_KEEP_TRANSCRIPTS: '1' });
	client = new NodeClient({ url: `http://127.0.0.1:${server.port}`, apiKey: API_KEY });
});
test.afterAll(() => server.stop());

const recording = (): Promise<Blob> => openAsBlob(`${ROOT}/testdata/${SENTENCE.file}`);

async function all<T>(iterable: AsyncIterable<T>): Promise<T[]> {
	const items: T[] = [];
	for await (const item of iterable) {
		items.push(item);
	}
	return items;
}

test('a recording is transcribed in Node', async () => {
	const transcript = await client.transcribe(await recording(), { language: 'en', wordTimestamps: true });
	expect(words(transcript.text)).toEqual(words(SENTENCE.text));
	expect(transcript.segments[0]?.words?.length).toBeGreaterThan(3);
	await expect(client.transcribe(new Uint8Array([1, 2, 3]))).rejects.toMatchObject({
		code: 'unsupported_format',
	});
	const stranger = new NodeClient({ url: `http://127.0.0.1:${server.port}`, apiKey: 'wrong' });
	await expect(stranger.transcribe(await recording())).rejects.toMatchObject({
		code: 'unauthorized',
		status: 401,
	});
});

test('a job is followed, listed, and deleted; its transcript is kept', async () => {
	const { id } = await client.jobs.create(await recording(), { jobId: 'film', fileName: 'film.wav' });
	expect(id).toBe('film');
	const events = await all(client.jobs.events(id));
	expect(words(events.at(-1)?.transcript?.text ?? '')).toEqual(words(SENTENCE.text));
	expect((await client.jobs.wait(id)).durationSeconds).toBeGreaterThan(1);
	const listed = await all(client.jobs.list({ states: ['done'] }));
	expect(listed).toMatchObject([{ id, progress: 1, fileName: 'film.wav' }]);
	expect(listed[0]?.durationSeconds).toBeGreaterThan(1);
	expect(await all(client.jobs.list({ states: ['queued', 'failed'] }))).toEqual([]);
	await client.jobs.delete(id);
	await expect(client.jobs.get(id)).rejects.toMatchObject({ code: 'not_found' });

	const { transcripts } = client;
	const [kept] = await all(
		transcripts.list({ source: 'job', since: new Date(Date.now() - 600_000), limit: 1 }),
	);
	const found = kept?.id ?? '';
	expect(await all(transcripts.search('FELLOW americans'))).toMatchObject([{ transcript: { id: found } }]);
	expect(words((await transcripts.get(found)).text)).toEqual(words(SENTENCE.text));
	expect(await transcripts.export(found, 'vtt')).toMatch(/^WEBVTT\n/);
	await expect(transcripts.renameSpeaker(found, 0, 'Ann')).rejects.toMatchObject({ code: 'not_found' });
	await expect(transcripts.mergeSpeakers(found, 1, 0)).rejects.toMatchObject({ code: 'not_found' });
	const { segments } = await transcripts.get(found);
	const change = {
		...{ startSeconds: 0, endSeconds: segments[0]?.endSeconds ?? 0 },
		...{ fromSpeaker: null, speaker: 1, startsParagraph: true },
	};
	const changed = await transcripts.changeParagraphs(found, [change]);
	expect(changed.segments[0]).toMatchObject({ speaker: 1, startsParagraph: true });
	await transcripts.delete(found);
	await expect(transcripts.get(found)).rejects.toMatchObject({ code: 'not_found' });
});

test('a page transcribes and streams with a token, and its session is shared', async ({ page }) => {
	const gateway = await Gateway.open(server.port);
	const token = await client.createToken(120);
	await page.goto(gateway.libraryPage);
	await page.waitForFunction(() => 'auricle' in globalThis);
	const text = await page.evaluate(
		async ({ apiKey, file }) => {
			globalThis.api = new globalThis.auricle.Client({ apiKey });
			const blob = await (await fetch(`testdata/${file}`)).blob();
			return (await globalThis.api.transcribe(blob)).text;
		},
		{ apiKey: token.text, file: SENTENCE.file },
	);
	expect(words(text)).toEqual(words(SENTENCE.text));
	const closed = page.evaluate(async () => {
		const stream = globalThis.api.live({ language: 'en' });
		stream.push(new Float32Array(16_000));
		await new Promise(resolve => Object.assign(globalThis, { finish: resolve }));
		return stream.finish();
	});
	await expect.poll(() => client.sessions.list()).toMatchObject([{ source: 'native', readers: 0 }]);
	const [session] = await client.sessions.list();
	expect((await client.sessions.createReaderToken(session?.id ?? '', 60)).expiresInSeconds).toBe(60);
	await page.evaluate(() => (globalThis as unknown as { finish: () => void }).finish());
	expect((await closed).packets).toBe(51);
	await gateway.close();
});
