/** The languages that Whisper supports, by code; the browser provides their names. */

import type { Language } from './i18n.js';

/** As in the server's `languages.py`. */
export const LANGUAGE_CODES =
	'af am ar as az ba be bg bn bo br bs ca cs cy da de el en es et eu fa fi fo fr gl gu ha haw he hi hr ht hu hy id is it ja jw ka kk km kn ko la lb ln lo lt lv mg mi mk ml mn mr ms mt my ne nl nn no oc pa pl ps pt ro ru sa sd si sk sl sn so sq sr su sv sw ta te tg th tk tl tr tt uk ur uz vi yi yo yue zh'.split(
		' ',
	);

/** The usual codes where Whisper's differ. */
const USUAL: Readonly<Record<string, string>> = { jw: 'jv', tl: 'fil' };

/** Names that some browsers lack: Chromium's list is not complete. */
const NAMES: Readonly<Record<string, Readonly<Record<Language, string>>>> = {
	ba: { en: 'Bashkir', zh: '巴什基尔语' },
	bo: { en: 'Tibetan', zh: '藏语' },
};
const OTHER: Readonly<Record<Language, string>> = { en: 'Another language', zh: '其他语言' };

/** A code and its name. */
export type NamedLanguage = readonly [code: string, name: string];

/** How many languages are offered before the others. */
const MAX_RECENT = 4;

/** Returns the codes of recent languages after another was chosen, the newest first. */
export function withRecent(recent: readonly string[], chosen: string): string[] {
	return [chosen, ...recent.filter(code => code !== chosen)].slice(0, MAX_RECENT);
}

/**
 * Returns the languages to offer first: those chosen lately, then those of the browser.
 *
 * @param languages - All that can be offered.
 * @param recent - Codes, the newest first.
 * @param preferred - Language tags of the browser, the most preferred first.
 */
export function likelyLanguages(
	languages: readonly NamedLanguage[],
	recent: readonly string[],
	preferred: readonly string[],
): NamedLanguage[] {
	const codes = new Set([...recent, ...preferred.map(tag => tag.split('-')[0] ?? tag)]);
	return [...codes].flatMap(code => languages.filter(([other]) => other === code)).slice(0, MAX_RECENT);
}

/** Returns the name of a language; never its code. */
export function languageName(code: string, shownIn: Language): string {
	const names = new Intl.DisplayNames([shownIn], { type: 'language', fallback: 'none' });
	try {
		return names.of(USUAL[code] ?? code) ?? NAMES[code]?.[shownIn] ?? OTHER[shownIn];
	} catch {
		return OTHER[shownIn]; // it is no code
	}
}

/** Returns codes and names, sorted by name. */
export function namedLanguages(shownIn: Language): NamedLanguage[] {
	const order = new Intl.Collator([shownIn]);
	return LANGUAGE_CODES.map(code => [code, languageName(code, shownIn)] as const).sort(([, one], [, other]) =>
		order.compare(one, other),
	);
}
