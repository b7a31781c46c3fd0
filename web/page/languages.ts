/** The languages that Whisper supports, by code; the browser provides their names. */

import type { Language } from './i18n.js';

/** As in the server's `languages.py`. */
export const LANGUAGE_CODES =
	'af am ar as az ba be bg bn bo br bs ca cs cy da de el en es et eu fa fi fo fr gl gu ha haw he hi hr ht hu hy id is it ja jw ka kk km kn ko la lb ln lo lt lv mg mi mk ml mn mr ms mt my ne nl nn no oc pa pl ps pt ro ru sa sd si sk sl sn so sq sr su sv sw ta te tg th tk tl tr tt uk ur uz vi yi yo yue zh'.split(
		' ',
	);

/** The usual codes where Whisper's differ. */
const USUAL: Readonly<Record<string, string>> = { jw: 'jv', tl: 'fil' };

/** Returns codes and names, sorted by name. */
export function namedLanguages(shownIn: Language): (readonly [code: string, name: string])[] {
	const names = new Intl.DisplayNames([shownIn], { type: 'language' });
	const order = new Intl.Collator([shownIn]);
	return LANGUAGE_CODES.map(code => [code, names.of(USUAL[code] ?? code) ?? code] as const).sort(
		([, one], [, other]) => order.compare(one, other),
	);
}
