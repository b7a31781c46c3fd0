/** The field that finds words in the shown transcript, and marks them. */

import { element, pressButton, setText } from '../dom.js';
import type { TranscriptLine } from '../transcript.js';
import { findLines, MAX_QUERY_CHARACTERS, type Range as TextRange } from './search.js';
import type { PlaceTexts } from './texts.js';

const ALL = 'found';
const CURRENT = 'found-now';

/** Where the lines are on the page. */
export interface FoundIn {
	readonly lines: readonly TranscriptLine[];
	/** Returns the element of a line; its text content is the line's text. */
	elementOf(line: number): HTMLElement | null;
}

/** Where a match is: its line, and its first character there. */
export interface FoundPlace {
	readonly line: number;
	readonly start: number;
}

/** What users do to move the page themselves. */
const MOVEMENTS = ['wheel', 'touchmove', 'keydown', 'pointerdown'] as const;

/** The field and its buttons. */
export class Finder {
	readonly element = element('div', 'finder');
	readonly #field = element('input', 'field');
	readonly #state = element('span', 'note');
	readonly #previous: HTMLButtonElement;
	readonly #next: HTMLButtonElement;
	readonly #where: FoundIn;
	#texts: PlaceTexts;
	#ranges: readonly Range[] = [];
	#places: readonly FoundPlace[] = [];
	#at = 0;
	/** Ends with the user's first own movement: until then, the match stays in view while the page changes. */
	#holding: AbortController | null = null;

	/**
	 * @param texts - Texts of the field.
	 * @param where - The transcript.
	 */
	constructor(texts: PlaceTexts, where: FoundIn) {
		this.#texts = texts;
		this.#where = where;
		this.#previous = pressButton('small', () => this.#move(-1));
		this.#next = pressButton('small', () => this.#move(1));
		this.#previous.textContent = '↑';
		this.#next.textContent = '↓';
		this.#state.setAttribute('role', 'status');
		this.#field.type = 'search';
		this.#field.maxLength = MAX_QUERY_CHARACTERS;
		this.#field.addEventListener('input', () => {
			this.#at = 0;
			this.refresh();
			this.#showCurrent();
		});
		this.#field.addEventListener('keydown', event => {
			if (event.key === 'Enter') {
				event.preventDefault();
				this.#move(event.shiftKey ? -1 : 1);
			}
		});
		this.element.append(this.#field, this.#state, this.#previous, this.#next);
		this.render(texts);
	}

	/** Changes the language. */
	render(texts: PlaceTexts): void {
		this.#texts = texts;
		const { transcript } = texts.own;
		this.#field.placeholder = transcript.find;
		this.#field.setAttribute('aria-label', transcript.find);
		this.#previous.setAttribute('aria-label', transcript.previous);
		this.#next.setAttribute('aria-label', transcript.next);
		this.#show();
	}

	/** Finds a query, and keeps its first match in view until the user moves. */
	find(query: string): void {
		this.#field.value = query;
		this.#at = 0;
		this.#holding?.abort();
		const holding = new AbortController();
		this.#holding = holding;
		for (const name of MOVEMENTS) {
			const release = (): void => {
				this.#holding = null;
				holding.abort();
			};
			window.addEventListener(name, release, { signal: holding.signal, passive: true });
		}
		this.refresh();
	}

	/** The match that is kept in view; `null`: none, or the user has moved. */
	get held(): FoundPlace | null {
		return this.#holding === null ? null : (this.#places[this.#at] ?? null);
	}

	/** Marks the matches again: the transcript has changed. */
	refresh(): void {
		const found = findLines(this.#where.lines, this.#field.value).flatMap(({ line, ranges }) => {
			const within = this.#where.elementOf(line);
			return within === null
				? []
				: ranges.map(range => [{ line, ...range }, domRange(within, range)] as const);
		});
		this.#places = found.map(([place]) => place);
		this.#ranges = found.map(([, range]) => range);
		this.#at = Math.min(this.#at, Math.max(0, this.#ranges.length - 1));
		this.#show();
		if (this.#holding !== null) {
			this.#showCurrent();
		}
	}

	/** Removes the marks. */
	close(): void {
		this.#holding?.abort();
		highlight(ALL, []);
		highlight(CURRENT, []);
	}

	#move(by: number): void {
		const count = this.#ranges.length;
		if (count > 0) {
			this.#at = (this.#at + by + count) % count;
			this.#show();
			this.#showCurrent();
		}
	}

	#showCurrent(): void {
		this.#ranges[this.#at]?.startContainer.parentElement?.scrollIntoView({ block: 'center' });
	}

	#show(): void {
		const { transcript } = this.#texts.own;
		const count = this.#ranges.length;
		const isAsked = this.#field.value.trim() !== '';
		const found = count === 0 ? transcript.notFound : transcript.found(this.#at + 1, count);
		setText(this.#state, isAsked ? found : '');
		this.element.classList.toggle('asked', isAsked);
		this.#previous.hidden = this.#next.hidden = count < 2;
		const current = this.#ranges[this.#at];
		highlight(ALL, this.#ranges);
		highlight(CURRENT, current === undefined ? [] : [current]);
	}
}

/** Marks ranges by the CSS Custom Highlight API; browsers before 2025 without it only scroll to them. */
function highlight(name: string, ranges: readonly Range[]): void {
	if ('highlights' in CSS) {
		const marks = new Highlight(...ranges);
		marks.priority = name === CURRENT ? 1 : 0;
		CSS.highlights.set(name, marks);
	}
}

/** Returns the range of a part of an element's text. */
function domRange(within: HTMLElement, { start, end }: TextRange): Range {
	const range = document.createRange();
	const walker = document.createTreeWalker(within, NodeFilter.SHOW_TEXT);
	let at = 0;
	let isStarted = false;
	for (let node = walker.nextNode(); node !== null; node = walker.nextNode()) {
		const length = node.textContent?.length ?? 0;
		if (!isStarted && start < at + length) {
			range.setStart(node, start - at);
			isStarted = true;
		}
		if (end <= at + length) {
			range.setEnd(node, end - at);
			break;
		}
		at += length;
	}
	return range;
}
