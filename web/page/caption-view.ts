/** The captions: finals in a log that screen readers announce, partials next to it without announcements. */

import type { Final, Gap, Partial } from '../src/index.js';
import { captionLine, styledText } from './caption-line.js';
import type { CaptionTexts } from './caption-texts.js';
import { byId } from './dom.js';
import { gapText } from './gap-line.js';
import { ExportToolbar } from './export-toolbar.js';
import { type GapLine, isGap, type TranscriptLine } from './transcript.js';

/** A user who has scrolled up by more than this keeps the scroll position. */
const NEAR_PIXELS = 64;

/** The captions since the page was opened or cleared. */
export class CaptionView {
	#lines: TranscriptLine[] = [];
	/** Lines that Clear has removed, for its undo. */
	#cleared: readonly TranscriptLine[] = [];
	readonly #whenChanged: () => void;
	readonly #section = byId('captions', HTMLElement);
	readonly #scroll = byId('scroll', HTMLElement);
	readonly #empty = byId('empty', HTMLElement);
	readonly #log = byId('lines', HTMLElement);
	readonly #partials = byId('partials', HTMLElement);
	readonly #newest = byId('newest', HTMLButtonElement);
	readonly #beamer = byId('beamer', HTMLButtonElement);
	readonly #clear = document.createElement('button');
	readonly #undo = document.createElement('button');
	readonly #open = new Map<number, Partial>();
	readonly #gaps = new Map<HTMLElement, GapLine>();
	readonly #exportToolbar: ExportToolbar;
	#texts: CaptionTexts;
	#offsetSeconds = 0;
	/** How much later than on the page the current stream is for the cleared lines. */
	#clearedOffsetSeconds = 0;
	#isAtEnd = true;

	/**
	 * @param texts - Texts of its buttons.
	 * @param whenChanged - Called after each change of the lines.
	 */
	constructor(texts: CaptionTexts, whenChanged: () => void) {
		this.#texts = texts;
		this.#whenChanged = whenChanged;
		this.#exportToolbar = new ExportToolbar(texts, () => this.#lines, fileName);
		for (const button of [this.#clear, this.#undo]) {
			button.type = 'button';
			button.className = 'small';
		}
		this.#clear.addEventListener('click', () => {
			this.#clearLines();
			this.#undo.focus(); // the button with the focus is disabled now
		});
		this.#undo.addEventListener('click', () => {
			this.#undoClear();
			this.#clear.focus();
		});
		byId('captions-tools', HTMLElement).append(this.#exportToolbar.element, this.#clear, this.#undo);
		this.#scroll.addEventListener('scroll', () => {
			const { scrollTop, clientHeight, scrollHeight } = this.#scroll;
			this.#isAtEnd = scrollTop + clientHeight > scrollHeight - NEAR_PIXELS;
			this.#newest.hidden = this.#isAtEnd;
		});
		this.#newest.addEventListener('click', () => {
			this.#isAtEnd = true;
			this.#follow();
			this.#scroll.focus();
		});
		this.#beamer.addEventListener('click', () => this.#project(!this.#isProjecting));
		document.addEventListener('fullscreenchange', () => {
			if (document.fullscreenElement === null) {
				this.#project(false);
			}
		});
		document.addEventListener('keydown', ({ key }) => {
			if (key === 'Escape' && this.#isProjecting) {
				this.#project(false);
			}
		});
		this.render(texts);
		this.#show();
	}

	/** Changes the language. */
	render(texts: CaptionTexts): void {
		this.#texts = texts;
		this.#exportToolbar.render(texts);
		for (const [words, line] of this.#gaps) {
			words.textContent = gapText(line, texts);
		}
		this.#clear.textContent = texts.captions.clear;
		this.#undo.textContent = texts.captions.undo;
		this.#beamer.textContent = this.#isProjecting ? texts.captions.leave : texts.captions.beamer;
	}

	/** Its lines, in order. */
	get lines(): readonly TranscriptLine[] {
		return this.#lines;
	}

	/** Shows these lines in the place of the current ones. */
	open(lines: readonly TranscriptLine[]): void {
		this.#cleared = [];
		this.#replace(lines);
	}

	/** Starts another stream; its clock continues after the existing captions. */
	begin(): void {
		this.#offsetSeconds = endOf(this.#lines);
		if (this.#lines.length === 0) {
			this.#clearedOffsetSeconds = endOf(this.#cleared);
		}
	}

	/** Shows a partial. */
	showPartial(partial: Partial): void {
		this.#open.set(partial.utterance, partial);
		this.#show();
	}

	/** Adds a final. */
	showFinal({ utterance, text, startSeconds, endSeconds, language, error }: Final): void {
		for (const open of this.#open.keys()) {
			if (open <= utterance) {
				this.#open.delete(open);
			}
		}
		if (error !== null) {
			this.showGap({ startSeconds, endSeconds, code: error });
			return;
		}
		const spoken = text.trim();
		if (spoken !== '') {
			this.#add({ startSeconds, endSeconds, text: spoken, language });
		}
		this.#show();
	}

	/** Shows missing speech. */
	showGap({ startSeconds, endSeconds, code }: Omit<Gap, 'type'>): void {
		this.#add({ startSeconds, endSeconds, gap: code });
		this.#show();
	}

	/** Removes the partial: no final will follow. */
	dropGuesses(): void {
		this.#open.clear();
		this.#show();
	}

	#clearLines(): void {
		this.#cleared = this.#lines;
		this.#clearedOffsetSeconds = 0;
		this.#replace([]);
		this.#whenChanged();
	}

	/** Shows the lines that were removed, before those since. */
	#undoClear(): void {
		const since = this.#lines.map(line => shifted(line, this.#clearedOffsetSeconds));
		const lines = [...this.#cleared, ...since];
		this.#offsetSeconds += this.#clearedOffsetSeconds;
		this.open(lines);
		this.#whenChanged();
	}

	/** Adds a line with times of the current stream. */
	#add(line: TranscriptLine): void {
		const added = shifted(line, this.#offsetSeconds);
		this.#lines.push(added);
		this.#append(added);
		this.#whenChanged();
	}

	#append(line: TranscriptLine): void {
		if (isGap(line)) {
			const words = styledText('lost', gapText(line, this.#texts));
			this.#gaps.set(words, line);
			this.#log.append(captionLine(line.startSeconds, null, words));
		} else {
			this.#log.append(captionLine(line.startSeconds, line.language, line.text));
		}
	}

	#replace(lines: readonly TranscriptLine[]): void {
		this.#lines = [...lines];
		this.#gaps.clear();
		this.#log.replaceChildren();
		this.#lines.forEach(line => this.#append(line));
		this.#show();
	}

	#show(): void {
		const partials = [...this.#open.values()].map(({ startSeconds, stable, unstable }) => {
			const visible = unstable.trimStart();
			const space = unstable.slice(0, unstable.length - visible.length); // it would be underlined, too
			const words = [styledText('stable', stable), space, styledText('unstable', visible)];
			return captionLine(startSeconds + this.#offsetSeconds, null, ...words);
		});
		this.#partials.replaceChildren(...partials);
		const hasLines = this.#log.childElementCount > 0;
		this.#empty.hidden = hasLines || partials.length > 0;
		this.#clear.disabled = !hasLines;
		this.#undo.hidden = this.#cleared.length === 0;
		this.#exportToolbar.enabled = hasLines;
		this.#follow();
	}

	#follow(): void {
		if (this.#isAtEnd) {
			this.#scroll.scrollTop = this.#scroll.scrollHeight;
		}
	}

	get #isProjecting(): boolean {
		return this.#section.classList.contains('projected');
	}

	/** Fills the screen with the newest lines, or the window where the browser has no full screen. */
	#project(isOn: boolean): void {
		if (isOn === this.#isProjecting) {
			return;
		}
		this.#section.classList.toggle('projected', isOn);
		for (const beside of document.querySelectorAll<HTMLElement>('[data-beside]')) {
			beside.inert = isOn;
		}
		if (isOn && document.fullscreenEnabled) {
			// Phones do not support it, and a browser may refuse: fill the window instead.
			void document.documentElement.requestFullscreen().catch(() => undefined);
		} else if (document.fullscreenElement !== null) {
			void document.exitFullscreen();
		}
		this.#isAtEnd = true;
		this.#newest.hidden = true;
		this.render(this.#texts);
		this.#follow();
	}
}

/** Returns a whole second at which no line is left. */
function endOf(lines: readonly TranscriptLine[]): number {
	return Math.ceil(lines.at(-1)?.endSeconds ?? 0);
}

function shifted(line: TranscriptLine, seconds: number): TranscriptLine {
	return { ...line, startSeconds: line.startSeconds + seconds, endSeconds: line.endSeconds + seconds };
}

function fileName(): string {
	const now = new Date();
	const two = (value: number): string => String(value).padStart(2, '0');
	const date = [now.getFullYear(), two(now.getMonth() + 1), two(now.getDate())].join('-');
	return `captions-${date}-${two(now.getHours())}${two(now.getMinutes())}`;
}
