/** What the page offers with a keyboard, at 400 %, in full screen, and in the words of its language. */

import type { Page } from '@playwright/test';
import { expectNobodyShutOut, keep, test } from './captions-page.js';
import { expect } from './fixtures.js';

/** Captions of a minute and a half, in the browser's database. */
function longCaptions(): object {
	const lines = Array.from({ length: 30 }, (_, index) => ({
		startSeconds: 3 * index,
		endSeconds: 3 * index + 2,
		text: `Train number ${index} leaves at noon.`,
		language: 'en',
	}));
	return { id: 'a', kind: 'captions', name: '', changedAt: Date.now(), lines, job: null };
}

async function showLongCaptions(page: Page): Promise<void> {
	await keep(page, longCaptions());
	await page.getByRole('button', { name: 'Show them again' }).click();
	await expect(page.locator('#lines .line')).toHaveCount(30);
}

test('begins with a link to the content', async ({ captions: page, gateway }) => {
	for (const url of [gateway.url, `${gateway.url}#recordings`, `${gateway.url}status`]) {
		await page.goto(url);
		await page.reload(); // another place of the same page is no navigation
		await page.keyboard.press('Tab');
		const skip = page.getByRole('link', { name: 'Skip to the content' });
		await expect(skip).toBeFocused();
		await expect(skip).toBeInViewport({ ratio: 1 });
		await expectNobodyShutOut(page);
		await page.keyboard.press('Enter');
		await expect(page.getByRole('main')).toBeFocused();
		await expect(page).toHaveURL(url); // still the same place
		await expect(skip).not.toBeInViewport();
		await page.keyboard.press('Tab');
		expect(await page.evaluate(() => document.activeElement?.closest('main') !== null)).toBe(true);
	}
});

test('jumps to the latest captions at 400 %, without covering them', async ({ captions: page }) => {
	await page.setViewportSize({ width: 320, height: 256 }); // 1280 × 1024 at 400 %
	await showLongCaptions(page);
	const scroll = page.locator('#scroll');
	await scroll.evaluate(element => (element.scrollTop = 0));
	const jump = page.getByRole('button', { name: 'Jump to latest' });
	await jump.scrollIntoViewIfNeeded();
	await expect(jump).toBeInViewport({ ratio: 1 });
	await expectNobodyShutOut(page);
	const [text, button] = [await scroll.boundingBox(), await jump.boundingBox()];
	expect(button?.y).toBeGreaterThanOrEqual((text?.y ?? 0) + (text?.height ?? 0));
	expect(text?.height).toBeGreaterThan(128); // half of the window
	expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(320);
	await jump.focus();
	await page.keyboard.press('Enter');
	await expect(jump).toBeHidden();
	await expect(scroll).toBeFocused();
	await expect(page.locator('#lines .line').last()).toBeInViewport();
});

test(
	'hides the button of the full screen until somebody moves',
	{ tag: '@live' },
	async ({ captions: page }) => {
		await showLongCaptions(page);
		await page.getByRole('button', { name: 'Full screen' }).click();
		const leave = page.getByRole('button', { name: 'Leave full screen' });
		await expect(leave).toHaveCSS('opacity', '1');
		await expect(leave).toHaveCSS('opacity', '0');
		await page.mouse.move(100, 200);
		await expect(leave).toHaveCSS('opacity', '1');
		await expect(leave).toHaveCSS('opacity', '0');
		await page.keyboard.press('Tab'); // also when it has the focus already
		await expect(leave).toHaveCSS('opacity', '1');
		await expect(leave).toHaveCSS('opacity', '0');
		const box = await leave.boundingBox();
		await page.mouse.click((box?.x ?? 0) + 10, (box?.y ?? 0) + 10); // the move shows it, the press leaves
		await expect(page.getByRole('button', { name: 'Full screen', exact: true })).toHaveCSS('opacity', '1');
	},
);

test('names languages, never their codes', async ({ captions: page }) => {
	const line = (language: string, index: number): object => ({
		startSeconds: index,
		endSeconds: index + 1,
		text: 'Text.',
		language,
	});
	const lines = ['en', 'bo', 'jw', 'xx', 'no code!'].map(line);
	await keep(page, { ...longCaptions(), kind: 'recording', name: 'talk.mp3', lines });
	for (const [button, other] of [
		['中文', '其他语言'],
		['English', 'Another language'],
	] as const) {
		await page.getByRole('button', { name: button }).click();
		await page.evaluate(() => void (location.hash = '#recordings/a'));
		const note = page.locator('.recording .note').first();
		await expect(note).toContainText(other);
		await expect(note).not.toContainText(/\b(en|bo|jw|jv|xx|no code!)\b/);
		await page.evaluate(() => void (location.hash = '#recordings'));
		for (const select of ['#spoken', '.file-options .choice select']) {
			const options = page.locator(select).first().locator('option:not([value=""])');
			const codes = await options.evaluateAll(all =>
				all.map(one => one as HTMLOptionElement).filter(({ text }) => /^[a-z]{2,3}$/.test(text)),
			);
			expect(codes).toEqual([]);
			expect(await options.count()).toBeGreaterThan(20);
		}
	}
});
