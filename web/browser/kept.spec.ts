/** The browser keeps transcripts: after a reload, Back, a crash of the tab, Clear; and finds jobs again. */

import type { BrowserContext, Page } from '@playwright/test';
import { API_KEY } from './auricle.js';
import { drop, expectNobodyShutOut, keep, saved, test } from './captions-page.js';
import { SENTENCE, words } from './clip.js';
import { expect, isChromium, playMicrophone, SHORT_SENTENCE } from './fixtures.js';

/** A transcript in the browser's database. */
function captions(id: string, ageDays: number, ...texts: string[]): object {
	return {
		id,
		kind: 'captions',
		name: '',
		changedAt: Date.now() - ageDays * 24 * 3600 * 1000,
		lines: texts.map((text, index) => ({
			startSeconds: 3 * index,
			endSeconds: 3 * index + 2.5,
			text,
			language: 'en',
		})),
		job: null,
	};
}

const lines = (page: Page): ReturnType<Page['locator']> => page.locator('#lines .words');
const offer = (page: Page): ReturnType<Page['locator']> => page.locator('#offer');
const rows = (page: Page): ReturnType<Page['locator']> => page.locator('.column-list .row');
const sentences = (page: Page): ReturnType<Page['locator']> => page.locator('.recording .sentence');

test.beforeEach(({ page }) => page.addInitScript(playMicrophone, SHORT_SENTENCE));

async function speak(page: Page): Promise<void> {
	page.on('dialog', dialog => void dialog.accept()); // leaving while listening asks
	await page.getByLabel('Spoken language').selectOption('English');
	await page.getByRole('button', { name: 'Start' }).click();
	await expect(lines(page).last()).toContainText(/\w/);
}

/** Opens another tab, with the key. */
async function anotherTab(context: BrowserContext, url: string): Promise<Page> {
	const page = await context.newPage();
	await page.addInitScript(key => sessionStorage.setItem('auricle.key', key), API_KEY);
	await page.goto(url);
	return page;
}

test(
	'shows captions again after a reload while listening, and one press continues them',
	{ tag: '@live' },
	async ({ captions: page }) => {
		await speak(page);
		const before = await lines(page).allTextContents();
		await page.reload();
		await expect(lines(page).nth(before.length - 1)).toBeVisible();
		await expect(offer(page)).toBeHidden();
		await expect(page.locator('#notice')).toHaveText(/^The page was reloaded in mid-session\. Press Start/);
		await page.reload(); // again, before Start
		await expect(lines(page).nth(before.length - 1)).toBeVisible();
		await expectNobodyShutOut(page);
		expect((await lines(page).allTextContents()).slice(0, before.length)).toEqual(before);
		await expect(rows(page)).toHaveCount(0);
		const [, txt] = await saved(page, 'Plain text');
		expect(txt).toContain(before[0]);

		const end = await lines(page).count();
		await page.getByRole('button', { name: 'Start' }).click();
		await expect(page.locator('#notice')).toBeHidden();
		await expect(lines(page).nth(end)).toContainText(/\w/);
		await page.getByRole('button', { name: 'Stop' }).click();
		await expect(page.locator('#state')).toHaveText('Not listening');
		const all = await lines(page).allTextContents();
		await page.reload();
		await page.getByRole('button', { name: 'Show them again' }).click();
		await expect(lines(page)).toHaveText(all); // one transcript, not two
		await expect(rows(page)).toHaveCount(0);
	},
);

test(
	'offers captions again after a crash of the tab',
	{ tag: '@live' },
	async ({ captions: page, gateway }) => {
		test.skip(!isChromium(page), 'needs the protocol of Chromium');
		await speak(page);
		const before = await lines(page).allTextContents();
		const session = await page.context().newCDPSession(page);
		const crashed = page.waitForEvent('crash');
		void session.send('Page.crash').catch(() => undefined);
		await crashed;
		const other = await anotherTab(page.context(), gateway.url);
		await other.getByRole('button', { name: 'Show them again' }).click();
		await expect(lines(other).nth(before.length - 1)).toBeVisible();
		expect((await lines(other).allTextContents()).slice(0, before.length)).toEqual(before);
		await other.reload();
		await expect(offer(other)).toBeVisible();
	},
);

test('offers captions again after Status and Back', async ({ captions: page }) => {
	await keep(page, captions('a', 0, 'The train leaves at noon.'));
	await page.getByRole('button', { name: 'Show them again' }).click();
	await page.getByRole('link', { name: 'Status' }).click(); // nothing is lost: the same tab
	await expect(page).toHaveURL(/status$/);
	await page.goBack();
	await page.getByRole('button', { name: 'Show them again' }).or(lines(page)).first().waitFor();
	if ((await lines(page).count()) === 0) {
		await page.getByRole('button', { name: 'Show them again' }).click();
	}
	await expect(lines(page)).toHaveText('The train leaves at noon.');
	await page.getByRole('link', { name: 'Status' }).click();
	await page.getByRole('link', { name: 'Live' }).click();
	await expect(offer(page)).toBeVisible();
});

test('opens Status in another tab while listening, and returns from there', async ({ captions: page }) => {
	await page.getByRole('button', { name: 'Start' }).click();
	await expect(page.locator('#state')).toHaveText('Listening');
	const opened = page.waitForEvent('popup');
	await page.getByRole('link', { name: 'Status' }).click();
	const status = await opened;
	await expect(status.getByRole('heading', { level: 1 })).toHaveText('Status');
	await expect(page.locator('#state')).toHaveText('Listening');
	const closed = status.waitForEvent('close');
	const click = status.getByRole('link', { name: 'Live' }).click();
	click.catch(() => undefined); // in Firefox the tab is closed before the click is reported
	await closed;
	await expect(page.locator('#state')).toHaveText('Listening');
	await page.getByRole('button', { name: 'Stop' }).click();
	await expect(page.locator('#state')).toHaveText('Not listening');
});

test('undoes Clear, also after more captions', { tag: '@live' }, async ({ captions: page }) => {
	await keep(page, captions('a', 0, 'The train leaves at noon.', 'It is late.'));
	const press = (name: string): Promise<void> => page.getByRole('button', { name, exact: true }).click();
	await press('Show them again');
	await press('Clear');
	await expect(page.locator('#empty')).toBeVisible();
	await expect(page.getByRole('button', { name: 'Undo clear' })).toBeFocused();
	await press('Undo clear');
	await expect(lines(page)).toHaveText(['The train leaves at noon.', 'It is late.']);
	await expect(page.getByRole('button', { name: 'Clear', exact: true })).toBeFocused();
	await expect(page.getByRole('button', { name: 'Undo clear' })).toBeHidden();

	await press('Clear');
	await speak(page);
	await press('Stop');
	await expect(page.locator('#state')).toHaveText('Not listening');
	const since = await lines(page).allTextContents();
	await press('Undo clear');
	await expect(lines(page)).toHaveText(['The train leaves at noon.', 'It is late.', ...since]);
	const [, json] = await saved(page, 'JSON with times');
	const starts = (JSON.parse(json) as { segments: { start: number }[] }).segments.map(({ start }) => start);
	expect(starts).toEqual(starts.toSorted((one, other) => one - other));
	await page.reload();
	await press('Show them again');
	await expect(lines(page)).toHaveCount(2 + since.length);

	await press('Clear');
	await page.reload();
	await expect(page.getByRole('button', { name: 'Start' })).toBeVisible();
	await expect(offer(page)).toBeHidden(); // what is cleared is not kept
});

test('lists earlier transcripts, shows and deletes them', { tag: '@smoke' }, async ({ captions: page }) => {
	const gap = { startSeconds: 3, endSeconds: 4, gap: 'unreachable' };
	const line = { startSeconds: 0, endSeconds: 2, text: 'A talk.', language: 'en' };
	await keep(
		page,
		captions('new', 1, 'The newest.'),
		captions('old', 2, 'An older one.'),
		captions('expired', 31, 'Too old.'),
		{ ...captions('talk', 3), kind: 'recording', name: 'talk.mp3', lines: [line, gap] },
		{ id: 'broken', lines: 'none' },
	);
	await page.getByRole('link', { name: 'Recordings' }).click();
	await expect(rows(page)).toHaveText([/The newest\./, /An older one\./, /talk\.mp3/]);
	await expectNobodyShutOut(page);
	await rows(page).nth(2).click();
	await expect(sentences(page)).toHaveText(['A talk.']);
	await expect(page.locator('.lost')).toHaveText('[1.0 s missing: server unreachable]');
	page.on('dialog', dialog => void dialog.accept());
	await page.getByRole('button', { name: 'Delete', exact: true }).click();
	await expect(rows(page)).toHaveCount(2);
	await page.reload();
	await expect(rows(page)).toHaveText([/The newest\./, /An older one\./]);
	await page.getByRole('button', { name: 'Delete all' }).click();
	await expect(page.getByText('No transcripts yet.')).toBeVisible();
	await page.getByRole('link', { name: 'Live' }).click();
	await expect(page.getByRole('button', { name: 'Start' })).toBeVisible();
	await expect(offer(page)).toBeHidden();
});

test('shows a copy of captions that another tab is writing', async ({ captions: page, gateway }) => {
	await keep(page, captions('a', 0, 'The train leaves at noon.'));
	const other = await anotherTab(page.context(), gateway.url);
	await page.getByRole('button', { name: 'Show them again' }).click();
	await expect(lines(page)).toHaveCount(1);
	await other.getByRole('button', { name: 'Show them again' }).click();
	await expect(lines(other)).toHaveCount(1);
	await other.getByRole('button', { name: 'Clear', exact: true }).click();
	await page.reload();
	await expect(offer(page)).toBeVisible();
});

test('finds a job again after a reload', async ({ captions: page }) => {
	let isHeld = true;
	await page.route('**/jobs/*', route => (isHeld ? route.abort() : route.continue()));
	const accepted = page.waitForResponse(answer => answer.status() === 202);
	await drop(page, 'fellow.wav');
	await accepted;
	await expect(page.locator('.work-state')).toHaveText(/^The server can’t be reached\./);
	await page.reload(); // nothing asks: the job is on the server
	await expect(page.getByRole('heading', { name: 'fellow.wav' })).toBeVisible();
	isHeld = false;
	const deleted = page.waitForRequest(request => request.method() === 'DELETE');
	await expect(sentences(page)).not.toHaveCount(0);
	const said = await sentences(page).allTextContents();
	expect(words(said.join(' '))).toEqual(words(SENTENCE.text));
	await deleted;
	await page.getByRole('link', { name: 'Recordings' }).click();
	await page.reload();
	await rows(page).click();
	await expect(sentences(page)).toHaveText(said);
	await expect(page.getByRole('heading', { name: 'fellow.wav' })).toBeFocused();
});

test('reports a job that the server no longer has', async ({ captions: page }) => {
	await keep(page, { ...captions('lost', 0), kind: 'recording', name: 'talk.mp3', job: 'never-was' });
	await page.getByRole('link', { name: 'Recordings' }).click();
	await rows(page).click();
	await expect(page.getByRole('article').getByRole('alert')).toContainText(
		'The server no longer has this recording.',
	);
	await page.getByRole('button', { name: 'Remove talk.mp3' }).click();
	await page.reload();
	await expect(page.getByText('No transcripts yet.')).toBeVisible();
});

test('works in a browser that forbids storage', async ({ page, gateway }) => {
	await page.addInitScript(() => {
		for (const name of ['localStorage', 'sessionStorage', 'indexedDB']) {
			const get = (): never => {
				throw new DOMException('', 'SecurityError');
			};
			Object.defineProperty(window, name, { get });
		}
	});
	await page.goto(gateway.url);
	await drop(page, 'short.wav');
	await page.getByLabel('Key for this server').fill(API_KEY);
	await page.getByRole('button', { name: 'Use this key' }).click();
	await expect(sentences(page)).toHaveText('The train leaves at noon.');
	await expect(page.locator('#not-kept')).toBeVisible();
	await page.getByRole('button', { name: '中文' }).click();
	await expect(page.locator('#not-kept')).toHaveText(/^此浏览器目前无法保存文字。/);
});

test('asks before leaving during an upload', async ({ captions: page }) => {
	await page.route('**/utterance?*', () => undefined); // never answers
	await page.locator('#empty').click(); // browsers ask only users who have used the page
	const uploading = page.waitForRequest('**/utterance?*');
	await drop(page, 'short.wav');
	await uploading;
	await expectAskedBeforeReload(page);
});

test(
	'warns, and asks before leaving, without room for captions',
	{ tag: '@live' },
	async ({ captions: page, gateway }) => {
		test.skip(!isChromium(page), 'needs the protocol of Chromium');
		const session = await page.context().newCDPSession(page);
		const { origin } = new URL(gateway.url);
		await session.send('Storage.overrideQuotaForOrigin', { origin, quotaSize: 1 });
		await expectWarned(page);
	},
);

test(
	'warns, and asks before leaving, if a newer page has changed the database',
	{ tag: '@live' },
	async ({ captions: page }) => {
		await page.evaluate(
			() =>
				new Promise((resolve, reject) => {
					const request = indexedDB.open('auricle', 1000); // the page closes its own connection
					request.onsuccess = resolve;
					request.onerror = reject;
					request.onblocked = reject;
				}),
		);
		await expectWarned(page);
	},
);

async function expectWarned(page: Page): Promise<void> {
	await page.getByLabel('Spoken language').selectOption('English');
	await page.getByRole('button', { name: 'Start' }).click();
	await expect(page.locator('#not-kept')).toBeVisible();
	await page.getByRole('button', { name: 'Stop' }).click();
	await expect(page.locator('#state')).toHaveText('Not listening');
	await expectNobodyShutOut(page);
	await expectAskedBeforeReload(page);
	await expect(page.getByRole('button', { name: 'Start' })).toBeVisible();
	await expect(offer(page)).toBeHidden();
}

async function expectAskedBeforeReload(page: Page): Promise<void> {
	const asked = page.waitForEvent('dialog');
	const leaving = page.reload();
	const dialog = await asked;
	expect(dialog.type()).toBe('beforeunload');
	await dialog.accept();
	await leaving;
}
