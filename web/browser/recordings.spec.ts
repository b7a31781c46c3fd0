/** The place of recordings: from a dropped file to a transcript that is played, searched, edited and exported. */

import { openAsBlob } from 'node:fs';
import { copyFile, readFile, unlink } from 'node:fs/promises';
import type { Locator, Page } from '@playwright/test';
import { strFromU8, unzipSync } from 'fflate';
import { Client } from '../src/index.js';
import { API_KEY, Auricle } from './auricle.js';
import { drop, expectNobodyShutOut, keep, test } from './captions-page.js';
import { SENTENCE, TESTDATA, words } from './clip.js';
import { expect, isChromium } from './fixtures.js';

const path = (name: string): string => new URL(name, TESTDATA).pathname;
const rows = (page: Page): Locator => page.locator('.column-list .row');
const sentences = (page: Page): Locator => page.locator('.transcript-text .sentence');
/** Changes the address without loading the page. */
const go = (page: Page, fragment: string): Promise<void> =>
	page.evaluate(fragment => void (location.hash = fragment), fragment);
const press = (page: Page, name: string): Promise<void> =>
	page.getByRole('button', { name, exact: true }).click();
const seconds = (page: Page): Promise<number> =>
	page.locator('audio').evaluate(audio => (audio as HTMLAudioElement).currentTime);

/** Plays so slowly that the last word does not end before a busy machine has looked at it. */
const slowDown = (page: Page): Promise<void> =>
	page.locator('audio').evaluate(audio => void ((audio as HTMLAudioElement).playbackRate = 0.1));

/** Saves a transcript from the menu; returns the file. */
async function exported(page: Page, format: string): Promise<[name: string, content: Buffer]> {
	test.skip(!isChromium(page), 'Firefox does not report downloads to tests');
	await page.locator('#recordings summary', { hasText: 'Export' }).click();
	const [download] = await Promise.all([page.waitForEvent('download'), press(page, format)]);
	return [download.suggestedFilename(), await readFile(await download.path())];
}

/** A transcript with two speakers, a pause and a gap in the browser's database. */
function talk(id: string, name: string): object {
	const line = (startSeconds: number, text: string, speaker: number): object => ({
		startSeconds,
		endSeconds: startSeconds + 2,
		text,
		language: 'en',
		speaker,
	});
	return {
		id,
		kind: 'recording',
		name,
		changedAt: Date.now(),
		lines: [
			line(0, 'The quarterly report is late.', 0),
			line(2.5, 'Who has the report?', 1),
			line(9, 'Nobody.', 0),
			{ startSeconds: 12, endSeconds: 13, gap: 'unreachable' },
		],
		job: null,
	};
}

test(
	'transcribes a dropped file despite failures, and plays it also after a reload',
	{ tag: '@live' },
	async ({ captions: page, gateway }) => {
		const headers = { Authorization: `Bearer ${API_KEY}` };
		const accepted = page.waitForResponse(answer => answer.status() === 202);
		await drop(page, 'fellow.wav');
		const { job_id: job } = (await (await accepted).json()) as { job_id: string };
		const forgotten = await fetch(`${gateway.url}jobs/${job}`, { method: 'DELETE', headers });
		expect(forgotten.status).toBe(200);
		await page.waitForResponse(answer => answer.status() === 202); // the page sends it again
		gateway.cut();
		await expect(page.locator('.work-state')).toHaveText(
			'The server can’t be reached. Retrying automatically.',
		);
		await expectNobodyShutOut(page);
		gateway.mend();
		await expect(sentences(page)).not.toHaveCount(0);
		const said = await sentences(page).allTextContents();
		expect(words(said.join(' '))).toEqual(words(SENTENCE.text));
		expect(await page.evaluate(() => scrollY)).toBe(0);

		await slowDown(page);
		await page.locator('.word').last().click();
		const at = await seconds(page);
		expect(at).toBeGreaterThan(SENTENCE.seconds - 2); // its last word
		await expect(page.locator('.word.now')).toHaveText(/country/);
		await press(page, 'Pause');
		await expectNobodyShutOut(page);

		await page.reload();
		await expect(page).toHaveURL(/#recordings\/\w+$/);
		await expect(page.getByRole('button', { name: 'Play', exact: true })).toBeVisible();
		const text = page.getByRole('region', { name: 'fellow.wav' });
		await text.focus();
		await page.keyboard.press('ArrowRight');
		await expect.poll(() => seconds(page)).toBeCloseTo(5, 0);
		await page.keyboard.press('ArrowUp');
		await expect.poll(() => seconds(page)).toBeLessThan(1);
		await page.getByLabel('Speed').selectOption('2×');
		await page.keyboard.press('Tab');
		await text.focus();
		await page.keyboard.press('Space');
		await expect(page.getByRole('button', { name: 'Pause', exact: true })).toBeVisible();
		await expect.poll(() => seconds(page)).toBeGreaterThan(1);
		await expect(page.locator('.word.now')).toHaveCount(1);
	},
);

test(
	'transcribes files one after another, and reports those that fail',
	{ tag: '@live' },
	async ({ captions: page }, testInfo) => {
		await drop(page, 'notes.txt', Buffer.from('This is no sound.'.repeat(50)));
		await expect(page.getByRole('alert').filter({ hasText: 'Not transcribed' })).toContainText(
			'The server does not support this file format.',
		);
		await expectNobodyShutOut(page);
		await page.getByRole('link', { name: 'New transcription' }).click();
		const moved = testInfo.outputPath('moved.wav');
		await copyFile(path('short.wav'), moved);
		await page.locator('#file').setInputFiles([path('short.wav'), moved, path('story.ogg')]);
		await unlink(moved);
		await expect(sentences(page)).toHaveText(['The train leaves at noon.']);
		await expect(rows(page).filter({ hasText: 'moved.wav' })).toContainText('The file can’t be read.');
		await rows(page).filter({ hasText: 'moved.wav' }).click();
		await press(page, 'Remove moved.wav');
		await rows(page).filter({ hasText: 'story.ogg' }).click();
		await press(page, 'Cancel story.ogg');
		await rows(page).filter({ hasText: 'notes.txt' }).click();
		await press(page, 'Remove notes.txt');
		await expect(page.getByRole('heading', { name: 'Transcribe a recording' })).toBeVisible();
		await expect(rows(page)).toHaveCount(1);
	},
);

test('edits sentences and names, joins speakers, undoes it, and keeps it', async ({ captions: page }) => {
	await keep(page, talk('a', 'talk.mp3'));
	await go(page, '#recordings/a');
	await expect(page.locator('.passage .speaker')).toHaveText([/Speaker 1/, /Speaker 2/, /Speaker 1/]);
	await expect(page.locator('.lost')).toHaveText('[1.0 s missing: server unreachable]');
	await page
		.locator('.speakers')
		.getByRole('button', { name: /^Speaker 2, 33%/ })
		.click();
	await page.getByLabel('Name', { exact: true }).fill('Ann');
	await expectNobodyShutOut(page);
	await page.keyboard.press('Enter');
	await expect(page.locator('.passage .speaker').nth(1)).toHaveText(/Ann/);

	await press(page, 'Edit text');
	const sentence = page.getByRole('textbox', { name: 'Text at 0:02' });
	await sentence.fill('Who has\nthe  annual report?');
	await expectNobodyShutOut(page);
	await sentence.press('Enter');
	const title = page.getByRole('heading', { name: 'Name of the transcript' });
	await title.fill('Monday meeting');
	await title.press('Enter');
	await page.getByRole('textbox', { name: 'Text at 0:09' }).fill('');
	await press(page, 'Done');
	const expected = ['The quarterly report is late.', 'Who has the annual report?'];
	await expect(sentences(page)).toHaveText(expected);
	await press(page, 'Undo');
	await expect(sentences(page)).toHaveText([...expected, 'Nobody.']);

	await page.reload();
	await expect(page.getByRole('heading', { name: 'Monday meeting' })).toBeVisible();
	await expect(sentences(page)).toHaveText([...expected, 'Nobody.']);
	await page.locator('.passage').getByRole('button', { name: /Ann/ }).click();
	await page.getByLabel('Same person as').selectOption('Speaker 1');
	await press(page, 'Save');
	await expect(page.locator('.speakers .speaker')).toHaveCount(1);
	await press(page, 'Undo');
	await expect(page.locator('.speakers .speaker')).toHaveCount(2);
});

test('exports each format', { tag: '@live' }, async ({ captions: page }) => {
	await keep(page, talk('a', 'talk.mp3'));
	await go(page, '#recordings/a');
	const [name, docx] = await exported(page, 'Word document');
	expect(name).toBe('talk.docx');
	const xml = strFromU8(unzipSync(docx)['word/document.xml'] ?? new Uint8Array());
	const problem = await page.evaluate(
		xml => new DOMParser().parseFromString(xml, 'text/xml').querySelector('parsererror')?.textContent,
		xml,
	);
	expect(problem).toBeUndefined();
	expect(xml).toContain('Who has the report?');
	const [, srt] = await exported(page, 'Subtitles (SubRip)');
	expect(String(srt)).toMatch(
		/^1\n00:00:00,000 --> 00:00:02,000\nSpeaker 1: The quarterly report is late\.\n/,
	);
	const [, md] = await exported(page, 'Markdown');
	expect(String(md)).toMatch(/^# talk\.mp3\n\n.+0:13 · English\n\n`0:00` \*\*Speaker 1:\*\* The quarterly/);
	const [, json] = await exported(page, 'JSON with times');
	expect(JSON.parse(String(json))).toMatchObject({ gaps: [{ code: 'unreachable' }] });
	await page.context().grantPermissions(['microphone', 'clipboard-read', 'clipboard-write']);
	await page.locator('#recordings summary', { hasText: 'Export' }).click();
	await expectNobodyShutOut(page);
	await press(page, 'Copy text');
	await expect(page.getByRole('button', { name: 'Copied' })).toBeVisible();
	expect(await page.evaluate(() => navigator.clipboard.readText())).toContain(
		'Speaker 2: Who has the report?',
	);
	await page.keyboard.press('Escape');
	await expect(page.getByRole('button', { name: 'Copied' })).toBeHidden();
});

test('finds words in all transcripts and in one', async ({ captions: page }) => {
	const failed: string[] = [];
	page.on('response', answer => {
		if (!answer.ok() && answer.status() !== 304) {
			failed.push(answer.url());
		}
	});
	await keep(page, talk('a', 'talk.mp3'), { ...talk('b', 'other.mp3'), lines: [] });
	await go(page, '#recordings');
	await expect(rows(page)).toHaveCount(2);
	const search = page.getByLabel('Search all transcripts');
	await search.fill('REPORT quarterly');
	await expect(rows(page)).toHaveCount(1);
	await expect(rows(page)).toContainText('1 match');
	await expect(rows(page).locator('mark')).toHaveText(['quarterly', 'report']);
	await rows(page).click();
	const find = page.getByLabel('Find in this transcript');
	await expect(find).toHaveValue('REPORT quarterly');
	await find.fill('report');
	const found = page.locator('.finder .note');
	await expect(found).toHaveText('1 of 2');
	await find.press('Enter');
	await expect(found).toHaveText('2 of 2');
	const marked = await page.evaluate(() =>
		[...(CSS.highlights.get('found-now') ?? [])].map(range => (range as Range).toString()),
	);
	expect(marked).toEqual(['report']);
	await find.fill('annual');
	await expect(found).toHaveText('Not found');
	await search.fill('annual');
	await expect(page.getByText('No transcript contains these words.')).toBeVisible();
	await search.fill('other');
	await expect(rows(page)).toHaveText(/other\.mp3/);
	await expectNobodyShutOut(page);
	expect(failed).toEqual([]); // this server keeps no transcripts, and is not asked for them
});

test(
	'lists a transcript of this browser and the server once, and changes and deletes both',
	{ tag: '@live' },
	async ({ page }) => {
		const server = await Auricle.start({ AURICLE_KEEP_TRANSCRIPTS: '1' });
		try {
			const url = `http://127.0.0.1:${server.port}/`;
			const { jobs, transcripts } = new Client({ url, apiKey: API_KEY });
			await page.addInitScript(key => sessionStorage.setItem('auricle.key', key), API_KEY);
			await page.goto(`${url}#recordings`);
			await page.locator('#recordings').getByLabel('Show who speaks').check();
			const sent = page.waitForRequest(request => request.url().includes('/utterance'));
			await drop(page, 'short.wav');
			expect(new URL((await sent).url()).searchParams.get('file_name')).toBe('short.wav');
			await expect(sentences(page)).toHaveText('The train leaves at noon.');
			await expect(rows(page)).toHaveCount(1);
			await expect(rows(page)).toContainText('Also on the server');
			await expect(page.getByText('The server keeps this transcript, too.')).toBeVisible();
			await page.locator('.passage').getByRole('button', { name: 'Speaker 1' }).click();
			await page.getByLabel('Name', { exact: true }).fill('Ann');
			await page.keyboard.press('Enter');
			const newest = await transcripts.list().next();
			const kept = newest.done === true ? '' : newest.value.id;
			const names = async (): Promise<unknown> => (await transcripts.get(kept)).speakers;
			await expect.poll(names).toEqual([{ number: 0, name: 'Ann' }]);
			await press(page, 'Undo');
			await expect.poll(names).toEqual([{ number: 0, name: null }]);
			await press(page, 'Delete');
			await expect(rows(page)).toHaveCount(0);
			const isGone = async (): Promise<boolean> => (await transcripts.list().next()).done === true;
			await expect.poll(isGone).toBe(true);

			const { id } = await jobs.create(await openAsBlob(path('short.wav')), { wordTimestamps: true });
			await jobs.wait(id);
			await page.reload();
			const heading = page.getByRole('heading', { name: 'On the server' });
			const onServer = page.locator('.row-group', { has: heading }).locator('.row');
			await expect(onServer).toHaveCount(1);
			await page.getByLabel('Search all transcripts').fill('NOON train');
			await expect(onServer.locator('mark')).toHaveText(['train', 'noon']);
			await onServer.click();
			await expect(page).toHaveURL(/#recordings\/server%3A/);
			await expect(page.getByText('Kept by the server.')).toBeVisible();
			await expect(page.getByText('Choose the file', { exact: true })).toBeVisible();
			await page.getByLabel('Choose the file', { exact: true }).setInputFiles(path('short.wav'));
			await expect(page.getByRole('button', { name: 'Play', exact: true })).toBeVisible();
			await slowDown(page);
			await page.locator('.word').last().click();
			const { transcript } = await jobs.get(id);
			const noon = transcript?.segments[0]?.words?.at(-1)?.startSeconds ?? 0;
			expect(await seconds(page)).toBeGreaterThanOrEqual(noon);
			expect(await seconds(page)).toBeLessThan(noon + 0.5);
			await press(page, 'Edit text');
			await page.locator('[role=textbox]').first().fill('Something else.');
			await press(page, 'Done');
			await page.getByLabel('Search all transcripts').fill('');
			await expect(onServer).toHaveCount(0); // its copy is listed
			await page.reload();
			await expect(sentences(page).first()).toHaveText('Something else.');
			await press(page, 'Delete');
			await expect(rows(page)).toHaveCount(0);
			await page.reload(); // does not wait for 10 s
			await expect.poll(isGone).toBe(true);
		} finally {
			await server.stop();
		}
	},
);

test('lets go of captions that Live shows before they are edited', async ({ captions: page }) => {
	await keep(page, { ...talk('a', ''), kind: 'captions' });
	await press(page, 'Show them again');
	await page.getByRole('link', { name: 'Recordings' }).click();
	await rows(page).click();
	await expect(page.getByText('This transcript is open in Live.')).toBeVisible();
	await expect(page.getByRole('button', { name: 'Edit text' })).toBeHidden();
	await press(page, 'Edit it here');
	await press(page, 'Edit text');
	await page.getByRole('textbox', { name: 'Text at 0:09' }).fill('Me.');
	await press(page, 'Done');
	await press(page, 'Continue in Live');
	await expect(page.locator('#lines .words')).toHaveText([
		'The quarterly report is late.',
		'Who has the report?',
		'Me.',
		'[1.0 s missing: server unreachable]',
	]);
});

test('shows the list and a transcript one after the other on a phone', async ({ captions: page }) => {
	await keep(page, talk('a', 'talk.mp3'));
	await page.setViewportSize({ width: 320, height: 568 });
	await go(page, '#recordings');
	await rows(page).click();
	await expect(rows(page)).toBeHidden();
	expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(320);
	await expectNobodyShutOut(page);
	await page.getByRole('link', { name: 'All recordings' }).click();
	await expect(rows(page)).toBeVisible();
	expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(320);
	await go(page, '#recordings/gone');
	await expect(page.getByText('This transcript is not in this browser.')).toBeVisible();
});
