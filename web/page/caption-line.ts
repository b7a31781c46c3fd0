/** One line of captions: its time, its speaker and its text. */

import { clock } from './transcript.js';

/** Returns a line with these words, given as elements or text. */
export function captionLine(
	startSeconds: number,
	language: string | null,
	...words: (Node | string)[]
): HTMLElement {
	const line = document.createElement('p');
	line.className = 'line';
	const time = document.createElement('time');
	time.textContent = clock(startSeconds);
	const text = document.createElement('span');
	text.className = 'words';
	if (language !== null) {
		text.lang = language;
	}
	text.append(...words);
	line.append(time, ' ', text);
	return line;
}

/** Signs of speakers, so that they differ without colours, too; they repeat after eight. */
const SIGNS = ['●', '▲', '■', '◆', '★', '✚', '▼', '⬟'] as const;

/** Returns a button with a speaker's sign and name, in the speaker's colour. */
export function speakerButton(speaker: number, name: string, rename: string): HTMLButtonElement {
	const button = document.createElement('button');
	button.type = 'button';
	button.title = rename;
	return asSpeaker(button, speaker, name);
}

/** Returns the same as text, where a speaker can't be renamed. */
export function speakerName(speaker: number, name: string): HTMLElement {
	return asSpeaker(document.createElement('span'), speaker, name);
}

function asSpeaker<T extends HTMLElement>(element: T, speaker: number, name: string): T {
	element.className = 'speaker';
	element.dataset['speaker'] = String(speaker % SIGNS.length);
	const sign = document.createElement('span');
	sign.className = 'sign';
	sign.setAttribute('aria-hidden', 'true');
	sign.textContent = SIGNS[speaker % SIGNS.length] ?? SIGNS[0];
	element.append(sign, ' ', name);
	return element;
}

/** Returns words with the style `stable` (final or stable), `unstable` (unstable) or `lost`. */
export function styledText(look: 'stable' | 'unstable' | 'lost', text: string): HTMLElement {
	const words = document.createElement('span');
	words.className = look;
	words.textContent = text;
	return words;
}
