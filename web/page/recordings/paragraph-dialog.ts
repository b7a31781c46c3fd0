/** Asks what to change in a paragraph: its speaker, where it is split, or that it continues the one before. */

import { element, pressButton } from '../dom.js';
import { clock, isGap, type TranscriptLine } from '../transcript.js';
import { EDIT_TEXTS } from './edit-texts.js';
import type { Span } from './paragraph-edits.js';
import type { SpeakerEntry } from './speaker-dialog.js';
import type { PlaceTexts } from './texts.js';
import type { WordPlace } from './timeline.js';
import { timedWords } from './words.js';

const NEW = 'new';

/** What the dialog is about. */
export interface AskedParagraph {
	readonly lines: readonly TranscriptLine[];
	readonly span: Span;
	/** `null` if unknown. */
	readonly speaker: number | null;
	readonly speakers: readonly SpeakerEntry[];
	readonly canJoin: boolean;
}

/** The answer; `speaker` is `null` if it stays, and that of the new paragraph after a split. */
export type ParagraphAnswer =
	'join' | { readonly splitAt: WordPlace | null; readonly speaker: number | typeof NEW | null };

/** Shows the dialog; returns the answer, or `null` if it was cancelled or nothing was changed. */
export function askParagraph(texts: PlaceTexts, asked: AskedParagraph): Promise<ParagraphAnswer | null> {
	const { paragraph } = EDIT_TEXTS[texts.language];
	const { speaker, speakers } = asked;
	const select = element('select');
	select.append(
		...(speaker === null ? [new Option(paragraph.unknown, '')] : []),
		...speakers.map(({ number, name }) => new Option(name, String(number))),
		new Option(paragraph.newSpeaker, NEW),
	);
	select.value = speaker === null ? '' : String(speaker);
	const usual = select.value;
	const title = element('h2', '', paragraph.title(clock(asked.lines[asked.span.first]?.startSeconds ?? 0)));
	title.id = 'paragraph-dialog-title';
	const words = new WordChoice(asked, paragraph.words);
	const dialog = element('dialog', 'card paragraph-dialog');
	dialog.setAttribute('aria-labelledby', title.id);
	const cancel = pressButton('', () => dialog.close());
	cancel.textContent = paragraph.cancel;
	const join = pressButton('', () => undefined);
	join.textContent = paragraph.join;
	join.hidden = !asked.canJoin;
	const save = element('button', 'primary', paragraph.save);
	const split = element('fieldset', '', element('legend', '', paragraph.split));
	split.append(element('p', 'note', paragraph.splitHint), words.element);
	split.hidden = !words.hasAny;
	const form = element('form', '', title, element('label', 'choice', paragraph.speaker, select), split);
	form.append(element('div', 'dialog-buttons', join, cancel, save));
	dialog.append(form);
	return new Promise(resolve => {
		const answer = (value: ParagraphAnswer | null): void => {
			dialog.close();
			resolve(value);
		};
		join.addEventListener('click', () => answer('join'));
		form.addEventListener('submit', event => {
			event.preventDefault();
			const { value } = select;
			const changed = value === usual ? null : value === NEW ? NEW : Number(value);
			const isChanged = changed !== null || words.chosen !== null;
			answer(isChanged ? { splitAt: words.chosen, speaker: changed } : null);
		});
		dialog.addEventListener('close', () => {
			dialog.remove();
			resolve(null); // unless it was answered
		});
		document.body.append(dialog);
		dialog.showModal();
	});
}

/** The words of a paragraph as buttons: one of them may be pressed. The arrow keys move between them. */
class WordChoice {
	readonly element = element('p', 'word-choice');
	readonly #buttons: (readonly [HTMLButtonElement, WordPlace])[] = [];
	#chosen: HTMLButtonElement | null = null;

	constructor({ lines, span }: AskedParagraph, label: string) {
		this.element.setAttribute('role', 'group');
		this.element.setAttribute('aria-label', label);
		for (let line = span.first; line < span.end; line++) {
			const said = lines[line];
			const words = said === undefined || isGap(said) ? [] : timedWords(said);
			for (const [word, { text }] of words.entries()) {
				const shown = text.trimStart();
				const space = text.slice(0, text.length - shown.length);
				this.element.append(word === 0 && line > span.first ? ' ' : space);
				this.element.append(
					line === span.first && word === 0
						? element('span', '', shown)
						: this.#button(shown, { line, word }),
				);
			}
		}
		this.element.addEventListener('keydown', event => this.#press(event));
	}

	/** The pressed word. */
	get chosen(): WordPlace | null {
		return this.#buttons.find(([button]) => button === this.#chosen)?.[1] ?? null;
	}

	get hasAny(): boolean {
		return this.#buttons.length > 0;
	}

	#button(text: string, place: WordPlace): HTMLButtonElement {
		const button = pressButton('', () => this.#choose(button === this.#chosen ? null : button));
		button.textContent = text;
		button.tabIndex = this.#buttons.length === 0 ? 0 : -1;
		button.setAttribute('aria-pressed', 'false');
		this.#buttons.push([button, place]);
		return button;
	}

	#choose(button: HTMLButtonElement | null): void {
		this.#chosen?.setAttribute('aria-pressed', 'false');
		button?.setAttribute('aria-pressed', 'true');
		this.#chosen = button;
		if (button !== null) {
			this.#focus(button);
		}
	}

	#press(event: KeyboardEvent): void {
		const at = this.#buttons.findIndex(([button]) => button === document.activeElement);
		const steps: Readonly<Record<string, number>> = {
			ArrowLeft: at - 1,
			ArrowUp: at - 1,
			ArrowRight: at + 1,
			ArrowDown: at + 1,
			Home: 0,
			End: this.#buttons.length - 1,
		};
		const next = this.#buttons[steps[event.key] ?? -1]?.[0];
		if (next !== undefined) {
			event.preventDefault();
			this.#focus(next);
		}
	}

	#focus(button: HTMLButtonElement): void {
		this.#buttons.forEach(([each]) => (each.tabIndex = each === button ? 0 : -1));
		button.focus();
	}
}
