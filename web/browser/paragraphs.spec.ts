/** Changes of paragraphs: their speakers, where they start, and speakers of a few words. */

import { openAsBlob } from 'node:fs';
import type { Locator, Page } from '@playwright/test';
import { Client } from '../src/index.js';
import { API_KEY, Auricle } from './auricle.js';
import { drop, expectNobodyShutOut, keep, test } from './captions-page.js';
import { TESTDATA } from './clip.js';
import { expect } from './fixtures.js';

const passages = (page: Page): Locator => page.locator('.passage');
const go = (page: Page, fragment: string): Promise<void> =>
	page.evaluate(fragment => void (location.hash = fragment), fragment);
const press = (page: Page, name: string): Promise<void> =>
	page.getByRole('button', { name, exact: true }).click();
/** Opens what can be changed in the paragraph of a time. */
const change = (page: Page, time: string): Promise<void> => press(page, `Change the paragraph at ${time}`);

const speakerChoice = (page: Page): Locator => page.getByRole('dialog').getByRole('combobox');

/** What is said, with the speaker of each paragraph. */
async function said(page: Page): Promise<string[]> {
	return passages(page).evaluateAll(all =>
		all.map(each => {
			const speaker = each.querySelector('.speaker')?.lastChild?.textContent ?? '';
			return `${speaker}: ${each.querySelector('p')?.textContent ?? ''}`;
		}),
	);
}

function meeting(...lines: [start: number, end: number, text: string, speaker: number][]): object {
	return {
		id: 'a',
		kind: 'recording',
		name: 'meeting.mp3',
		changedAt: Date.now(),
		lines: lines.map(([startSeconds, endSeconds, text, speaker]) => ({
			...{ startSeconds, endSeconds, text, language: 'en', speaker },
		})),
		job: null,
	};
}

const TALK = meeting(
	[0, 4, 'Is the report late? No it is here.', 0],
	[4, 6, 'Then we start.', 1],
	[9, 10, 'Good.', 1],
);

test('a paragraph gets another speaker, is split at a word and joined, and all is undone and kept', async ({
	captions: page,
}) => {
	await keep(page, TALK);
	await go(page, '#recordings/a');
	await change(page, '0:00');
	await expectNobodyShutOut(page);
	await page.getByRole('group', { name: 'First word' }).getByRole('button', { name: 'No' }).click();
	await speakerChoice(page).selectOption('Speaker 2');
	await press(page, 'Save');
	const split = [
		'Speaker 1: Is the report late?',
		'Speaker 2: No it is here. Then we start.',
		'Speaker 2: Good.',
	];
	await expect.poll(() => said(page)).toEqual(split);
	await expect(page.getByRole('button', { name: 'Change the paragraph at 0:02' })).toBeFocused();
	await change(page, '0:09');
	await press(page, 'Join with the one before');
	await expect.poll(async () => (await said(page))[1]).toBe('Speaker 2: No it is here. Then we start. Good.');
	await change(page, '0:02');
	await speakerChoice(page).selectOption('New speaker');
	await press(page, 'Save');
	const last = 'Speaker 3: No it is here. Then we start. Good.';
	await expect.poll(() => said(page)).toEqual([split[0], last]);

	await page.reload();
	await expect(passages(page)).toHaveCount(2);
	await expect.poll(() => said(page)).toEqual([split[0], last]);
	await change(page, '0:02');
	await speakerChoice(page).selectOption('Speaker 1');
	await press(page, 'Save');
	await expect(page.locator('.speakers .speaker')).toHaveCount(1);
	await press(page, 'Undo');
	await expect.poll(() => said(page)).toEqual([split[0], last]);
});

test('paragraphs are changed by keyboard alone', async ({ captions: page }) => {
	await keep(page, TALK);
	await go(page, '#recordings/a');
	await page.getByRole('button', { name: 'Change the paragraph at 0:00' }).focus();
	await page.keyboard.press('Enter');
	await expect(speakerChoice(page)).toBeFocused();
	await page.keyboard.press('Tab');
	await expect(page.getByRole('button', { name: 'the', exact: true })).toBeFocused();
	await page.keyboard.press('End');
	await page.keyboard.press('ArrowLeft');
	await page.keyboard.press('Space');
	await expect(page.getByRole('button', { name: 'is', pressed: true })).toBeFocused();
	await speakerChoice(page).press('Enter');
	await page.getByRole('button', { name: 'Save' }).press('Enter');
	await expect.poll(async () => (await said(page))[1]).toBe('Speaker 1: is here.');

	await press(page, 'Edit text');
	const sentence = page.getByRole('textbox', { name: 'Text at 0:04' });
	await sentence.focus();
	await page.keyboard.press('Home');
	for (let at = 0; at < 'Then we'.length; at++) {
		await page.keyboard.press('ArrowRight');
	}
	await page.keyboard.press('Control+Enter');
	await expect(page.getByRole('textbox', { name: 'Text at 0:05' })).toBeFocused();
	await expect
		.poll(async () => (await said(page)).slice(2))
		.toEqual(['Speaker 2: Then we', 'Speaker 2: start.', 'Speaker 2: Good.']);
	await page.keyboard.press('Home');
	await page.keyboard.press('Backspace');
	await expect(page.getByRole('textbox', { name: 'Text at 0:05' })).toBeFocused();
	await expect
		.poll(async () => (await said(page)).slice(2))
		.toEqual(['Speaker 2: Then we start.', 'Speaker 2: Good.']);
	await page.keyboard.press('Escape');
	await press(page, 'Undo');
	await expect.poll(() => said(page)).toHaveLength(5);
});

test('paragraphs are changed on a phone', async ({ captions: page }) => {
	await keep(page, TALK);
	await page.setViewportSize({ width: 320, height: 568 });
	await go(page, '#recordings/a');
	const button = page.getByRole('button', { name: 'Change the paragraph at 0:00' });
	const { width = 0, height = 0 } = (await button.boundingBox()) ?? {};
	expect(Math.min(width, height)).toBeGreaterThanOrEqual(24); // WCAG 2.2, 2.5.8
	await button.click();
	await page.getByRole('button', { name: 'here.' }).click();
	expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(320);
	await expectNobodyShutOut(page);
	await press(page, 'Save');
	expect((await said(page)).slice(0, 2)).toEqual([
		'Speaker 1: Is the report late? No it is',
		'Speaker 1: here.',
	]);
});

test('speakers of a few words are folded, and give their words to those next to them', async ({
	captions: page,
}) => {
	const talk = meeting(
		[0, 100, 'The report is long.', 0],
		[100.1, 100.4, 'Mm.', 2],
		[104, 200, 'So it is.', 1],
		[200.1, 200.3, 'Eh.', 3],
	);
	await keep(page, talk);
	await go(page, '#recordings/a');
	const chips = page.locator('.speakers .speaker:visible');
	await expect(chips).toHaveCount(2);
	await page.getByText('2 brief speakers').click();
	await expect(chips).toHaveCount(4);
	await expectNobodyShutOut(page);
	await press(page, 'Give their words to the speakers next to them');
	await expect
		.poll(() => said(page))
		.toEqual(['Speaker 1: The report is long. Mm.', 'Speaker 2: So it is. Eh.']);
	await expect(page.getByText('brief speaker')).toHaveCount(0);
	await press(page, 'Undo');
	await expect.poll(() => said(page)).toHaveLength(4);
	await page.locator('.passage').getByRole('button', { name: 'Speaker 3' }).click();
	await page.getByLabel('Name', { exact: true }).fill('Ann');
	await page.keyboard.press('Enter');
	await expect(page.getByText('1 brief speaker', { exact: true })).toBeVisible();
});

test('the server’s transcript gets the same paragraphs, with the times of its words', async ({ page }) => {
	const server = await Auricle.start({ AURICLE_KEEP_TRANSCRIPTS: '1' });
	try {
		const url = `http://127.0.0.1:${server.port}/`;
		const { jobs, transcripts } = new Client({ url, apiKey: API_KEY });
		const segments = async (id: string): Promise<string[]> =>
			(await transcripts.get(id)).segments.map(({ speaker, text }) => `${speaker} ${text}`);
		await page.addInitScript(key => sessionStorage.setItem('auricle.key', key), API_KEY);
		await page.goto(`${url}#recordings`);
		await page.locator('#recordings').getByLabel('Show who speaks').check();
		await drop(page, 'short.wav');
		await expect(page.getByText('The server keeps this transcript, too.')).toBeVisible();
		const newest = await transcripts.list().next();
		const kept = newest.done === true ? '' : newest.value.id;
		const [before] = (await transcripts.get(kept)).segments;
		await change(page, '0:00');
		await page.getByRole('button', { name: 'leaves' }).click();
		await speakerChoice(page).selectOption('New speaker');
		await press(page, 'Save');
		await expect.poll(() => segments(kept)).toEqual(['0 The train', '1 leaves at noon.']);
		const parts = (await transcripts.get(kept)).segments;
		expect(parts.flatMap(({ words }) => words ?? [])).toEqual(before?.words);
		expect(await transcripts.export(kept, 'md')).toMatch(
			/\*\*Speaker 1:\*\* The train\n\n.*\*\*Speaker 2:\*\* leaves/,
		);
		expect(await transcripts.export(kept, 'srt')).toContain('Speaker 2: leaves at noon.');
		await press(page, 'Undo');
		await expect.poll(() => segments(kept)).toEqual(['0 The train leaves at noon.']);

		const { id } = await jobs.create(await openAsBlob(new URL('short.wav', TESTDATA)), {
			wordTimestamps: true,
		});
		await jobs.wait(id);
		const last = await transcripts.list().next();
		const other = last.done === true ? '' : last.value.id;
		await go(page, `#recordings/server%3A${other}`);
		await expect(page.getByText('Kept by the server.')).toBeVisible();
		await change(page, '0:00');
		await page.getByRole('button', { name: 'leaves' }).click();
		await press(page, 'Save');
		await expect(passages(page)).toHaveCount(2);
		await expect.poll(() => segments(other)).toEqual(['null The train', 'null leaves at noon.']);
		await expect(page.getByText('Kept by the server.')).toBeVisible(); // there is no copy
		const next = passages(page)
			.nth(1)
			.getByRole('button', { name: /^Change the paragraph/ });
		await next.click();
		await press(page, 'Join with the one before');
		await expect(passages(page)).toHaveCount(1);
		await expect.poll(() => segments(other)).toEqual(['null The train leaves at noon.']);
	} finally {
		await server.stop();
	}
});
