/** The text of a transcript in paragraphs: words that light up and play, speakers, and sentences that can be edited. */

import { speakerButton, speakerName } from '../caption-line.js';
import { editedText, element, pressButton } from '../dom.js';
import { gapText } from '../gap-line.js';
import { paragraphsOf } from '../paragraphs.js';
import { clock, isGap, type Line, speakerOf, type TranscriptLine } from '../transcript.js';
import { EDIT_TEXTS } from './edit-texts.js';
import type { FoundIn } from './finder.js';
import { wordAt } from './paragraph-edits.js';
import type { PlaceTexts } from './texts.js';
import type { WordPlace } from './timeline.js';
import { timedWords } from './words.js';

/** Languages that are written without spaces between sentences. */
const SPACELESS = new Set(['zh', 'yue', 'ja', 'th', 'lo', 'my', 'km']);

/** The usual time of players in which "back" means the part before. */
const JUST_AFTER_SECONDS = 2;

/** How the text is shown. */
export interface LinesMode {
	readonly isEditing: boolean;
	/** Whether a click on a word plays it. */
	readonly canPlay: boolean;
	/** Whether speakers can be renamed. */
	readonly canRename: boolean;
}

/** What users do with the text. */
export interface LinesListener {
	play(seconds: number): void;
	edited(line: number, text: string): void;
	speakerPressed(speaker: number): void;
	/** The paragraph that starts with this line. */
	paragraphPressed(line: number): void;
	splitBefore(place: WordPlace): void;
	joinPressed(line: number): void;
}

/** The text. */
export class LinesView implements FoundIn {
	readonly element = element('div', 'transcript-text');
	readonly #listener: LinesListener;
	#texts: PlaceTexts;
	#lines: readonly TranscriptLine[] = [];
	#mode: LinesMode = { isEditing: false, canPlay: false, canRename: false };
	#elements: HTMLElement[] = [];
	#marked: HTMLElement | null = null;

	/**
	 * @param texts - Texts of labels.
	 * @param listener - Gets what users do.
	 */
	constructor(texts: PlaceTexts, listener: LinesListener) {
		this.#texts = texts;
		this.#listener = listener;
		this.element.tabIndex = 0;
		this.element.setAttribute('role', 'region');
		this.element.addEventListener('click', event => this.#click(event));
	}

	/** The lines. */
	get lines(): readonly TranscriptLine[] {
		return this.#lines;
	}

	/** Returns the element of a line's text. */
	elementOf(line: number): HTMLElement | null {
		return this.#elements[line] ?? null;
	}

	/** Shows a transcript. */
	show(texts: PlaceTexts, lines: readonly TranscriptLine[], mode: LinesMode): void {
		this.#texts = texts;
		this.#lines = lines;
		this.#mode = mode;
		this.#marked = null;
		const places = new Map(lines.map((line, index) => [line, index]));
		this.#elements = [];
		const paragraphs = paragraphsOf(lines).map(paragraph => this.#paragraph(paragraph, places));
		this.element.classList.toggle('editing', mode.isEditing);
		this.element.classList.toggle('playable', mode.canPlay);
		this.element.replaceChildren(...paragraphs);
	}

	/** Uses another version of the lines that has the same elements. */
	exchange(lines: readonly TranscriptLine[]): void {
		this.#lines = lines;
	}

	/** Moves the focus to the button of the paragraph with a time, or to its sentence of this time while it is edited. */
	focusAt(seconds: number): void {
		const line = this.#lines.findLastIndex(({ startSeconds }) => startSeconds <= seconds);
		const sentence = this.#elements[line];
		const button = sentence?.closest('.passage')?.querySelector<HTMLElement>('.change');
		(this.#mode.isEditing ? sentence : button)?.focus();
	}

	/** Lights up a word; returns its element. */
	mark(place: WordPlace | null): HTMLElement | null {
		const line = place === null ? undefined : this.#elements[place.line];
		const word = place === null || this.#mode.isEditing ? undefined : line?.children[place.word];
		const marked = word instanceof HTMLElement ? word : (line ?? null);
		if (marked !== this.#marked) {
			this.#marked?.classList.remove('now');
			marked?.classList.add('now');
			this.#marked = marked;
		}
		return marked;
	}

	/** Returns the start of the paragraph after the one of a time (1); or of that one, and just after it of the one before. */
	paragraphStart(seconds: number, by: -1 | 1): number | null {
		const starts = paragraphsOf(this.#lines).flatMap(([first]) => first?.startSeconds ?? []);
		const current = starts.findLastIndex(start => start <= seconds);
		const isInside = seconds - (starts[current] ?? seconds) > JUST_AFTER_SECONDS;
		return starts[by === -1 && isInside ? current : current + by] ?? null;
	}

	#paragraph(lines: readonly TranscriptLine[], places: ReadonlyMap<TranscriptLine, number>): HTMLElement {
		const [first] = lines;
		const startSeconds = first?.startSeconds ?? 0;
		const body = element('div', 'passage-body');
		if (first !== undefined && !isGap(first) && first.speaker !== undefined) {
			body.append(this.#speaker(first, first.speaker));
		}
		const text = element('p');
		for (const [index, line] of lines.entries()) {
			const language = isGap(line) ? null : line.language;
			if (index > 0 && !SPACELESS.has(language ?? '')) {
				text.append(' ');
			}
			const at = places.get(line) ?? 0;
			const shown = this.#line(line, at, index === 0);
			this.#elements[at] = shown;
			text.append(shown);
		}
		body.append(text);
		const made = element('div', 'passage', this.#time(startSeconds), body);
		if (this.#mode.canRename && first !== undefined && !isGap(first)) {
			made.append(this.#changeButton(startSeconds, places.get(first) ?? 0));
		}
		return made;
	}

	#changeButton(seconds: number, line: number): HTMLElement {
		const label = EDIT_TEXTS[this.#texts.language].paragraph.change(clock(seconds));
		const button = pressButton('change', () => this.#listener.paragraphPressed(line));
		button.textContent = '⋯';
		button.setAttribute('aria-label', label);
		button.title = label;
		return button;
	}

	#time(seconds: number): HTMLElement {
		const time = clock(seconds);
		if (!this.#mode.canPlay) {
			return element('span', 'time', time);
		}
		const button = pressButton('time', () => this.#listener.play(seconds));
		button.textContent = time;
		button.setAttribute('aria-label', this.#texts.own.transcript.playAt(time));
		return button;
	}

	#speaker(line: Line, speaker: number): HTMLElement {
		const { speakers } = this.#texts.page;
		const name = speakerOf(line, { speaker: speakers.name }) ?? '';
		if (!this.#mode.canRename) {
			return speakerName(speaker, name);
		}
		const button = speakerButton(speaker, name, speakers.rename);
		button.addEventListener('click', () => this.#listener.speakerPressed(speaker));
		return button;
	}

	#line(line: TranscriptLine, index: number, isFirst: boolean): HTMLElement {
		if (isGap(line)) {
			return element('span', 'lost', gapText(line, this.#texts.page));
		}
		const made = element('span', 'sentence');
		made.dataset['line'] = String(index);
		if (line.language !== null) {
			made.lang = line.language;
		}
		if (this.#mode.isEditing) {
			made.textContent = line.text;
			this.#makeEditable(made, line, index, isFirst);
		} else if (this.#mode.canPlay) {
			for (const { text } of timedWords(line)) {
				const word = text.trimStart();
				made.append(text.slice(0, text.length - word.length), element('span', 'word', word));
			}
		} else {
			made.textContent = line.text;
		}
		return made;
	}

	#makeEditable(made: HTMLElement, line: Line, index: number, isFirst: boolean): void {
		made.contentEditable = 'plaintext-only';
		made.setAttribute('role', 'textbox');
		made.setAttribute('aria-label', this.#texts.own.transcript.textAt(clock(line.startSeconds)));
		let text = line.text;
		made.addEventListener('keydown', event => {
			if (event.key === 'Escape') {
				made.textContent = text;
			}
			const at = editedText(made) === '' ? null : cursorIn(made); // an empty sentence is removed
			if (event.key === 'Enter' && (event.ctrlKey || event.metaKey) && at !== null) {
				event.preventDefault();
				made.blur(); // keeps the text first
				this.#split(index, at);
				return;
			}
			if (event.key === 'Backspace' && isFirst && at === 0) {
				event.preventDefault();
				made.blur();
				this.#listener.joinPressed(index);
				return;
			}
			if (event.key === 'Escape' || (event.key === 'Enter' && !event.isComposing)) {
				event.preventDefault();
				made.blur();
			}
		});
		made.addEventListener('blur', () => {
			const edited = editedText(made);
			if (edited !== text) {
				text = edited;
				this.#listener.edited(index, edited);
			}
		});
	}

	#split(index: number, at: number): void {
		const line = this.#lines[index];
		const word = line === undefined || isGap(line) ? null : wordAt(line, at);
		if (word !== null) {
			this.#listener.splitBefore({ line: index, word });
		}
	}

	#click({ target }: MouseEvent): void {
		const word = target instanceof Element ? target.closest<HTMLElement>('.word') : null;
		const sentence = word?.parentElement;
		const line = this.#lines[Number(sentence?.dataset['line'] ?? NaN)];
		if (word === null || line === undefined || isGap(line) || !(getSelection()?.isCollapsed ?? true)) {
			return; // a selection is for copying
		}
		const at = [...(sentence?.children ?? [])].indexOf(word);
		const seconds = timedWords(line)[at]?.startSeconds;
		if (seconds !== undefined) {
			this.#listener.play(seconds);
		}
	}
}

/** Returns where the cursor is in an element's text; `null` if a part of it is selected. */
function cursorIn(within: HTMLElement): number | null {
	const selection = getSelection();
	if (selection === null || selection.rangeCount === 0 || !selection.isCollapsed) {
		return null;
	}
	const before = selection.getRangeAt(0).cloneRange();
	before.setStart(within, 0);
	return before.toString().length;
}
