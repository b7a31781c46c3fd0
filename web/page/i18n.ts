/** English or Chinese, for all pages: the browser's language until the user selects one. */

import { store, stored } from './storage.js';

/** The languages of the pages. */
export type Language = 'en' | 'zh';

const KEPT = 'auricle.language';
const NAMES: Readonly<Record<Language, string>> = { en: 'English', zh: '中文' };

/** Returns the initial language. */
export function preferredLanguage(): Language {
	const chosen = stored('localStorage', KEPT);
	if (chosen === 'en' || chosen === 'zh') {
		return chosen;
	}
	return navigator.language.toLowerCase().startsWith('zh') ? 'zh' : 'en';
}

/**
 * Shows the page in the preferred language, and in the other one after each click on `button`.
 *
 * @param button - Shows the other language's name.
 * @param render - Sets the page's texts.
 */
export function bindLanguageButton(button: HTMLElement, render: (language: Language) => void): void {
	const use = (language: Language): void => {
		const other = language === 'en' ? 'zh' : 'en';
		document.documentElement.lang = language;
		button.lang = other;
		button.textContent = NAMES[other];
		button.onclick = () => {
			store('localStorage', KEPT, other);
			use(other);
		};
		render(language);
	};
	use(preferredLanguage());
}

/**
 * Sets the texts of all elements that name one by its path: `data-text` (their text content), `data-label` (their
 * accessible name).
 *
 * @param texts - The texts.
 * @param root - Where the elements are; the whole page if omitted.
 */
export function showTexts(texts: object, root: ParentNode = document): void {
	for (const element of root.querySelectorAll<HTMLElement>('[data-text], [data-label]')) {
		const { text, label } = element.dataset;
		if (text !== undefined) {
			element.textContent = find(texts, text);
		}
		if (label !== undefined) {
			element.setAttribute('aria-label', find(texts, label));
		}
	}
}

function find(texts: object, path: string): string {
	let value: unknown = texts;
	for (const name of path.split('.')) {
		value = (value as Readonly<Record<string, unknown>>)[name];
	}
	return String(value);
}
