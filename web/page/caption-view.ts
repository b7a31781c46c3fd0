/** The captions: finals in a log that screen readers announce, partials next to it without announcements. */

import type { Final, Gap, Partial } from '../src/index.js';
import { captionLine, styledText } from './caption-line.js';
import type { CaptionTexts } from './caption-texts.js';
import { byId } from './dom.js';
import { gapText } from './gap-line.js';
import { ExportToolbar } from './export-toolbar.js';
import type { GapLine, TranscriptLine } from './transcript.js';

/** A user who has scrolled up by more than this keeps the scroll position. */
const NEAR_PIXELS = 64;

/** The captions since the page was opened or cleared. */
export class CaptionView {
	readonly lines: TranscriptLine[] = [];
	readonly #section = byId('captions', HTMLElement);
	readonly #scroll = byId('scroll', HTMLElement);
	readonly #empty = byId('empty', HTMLElement);
	readonly #log = byId('lines', HTMLElement);
	readonly #partials = byId('partials', HTMLElement);
	readonly #newest = byId('newest', HTMLButtonElement);
	readonly #beamer = byId('beamer', HTMLButtonElement);
	readonly #clear = document.createElement('button');
	readonly #open = new Map<number, Partial>();
	readonly #gaps = new Map<HTMLElement, GapLine>();
	readonly #exportToolbar: ExportToolbar;
	#texts: CaptionTexts;
	#offsetSeconds = 0;
	#isAtEnd = true;

	constructor(texts: CaptionTexts) {
		this.#texts = texts;
		this.#exportToolbar = new ExportToolbar(texts, () => this.lines, fileName);
		this.#clear.type = 'button';
		this.#clear.className = 'small';
		this.#clear.addEventListener('click', () => this.clear());
		byId('captions-tools', HTMLElement).append(this.#exportToolbar.element, this.#clear);
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
		this.#beamer.textContent = this.#isProjecting ? texts.captions.leave : texts.captions.beamer;
	}

	/** Starts another stream; its clock continues after the existing captions. */
	begin(): void {
		this.#offsetSeconds = Math.ceil(this.lines.at(-1)?.endSeconds ?? 0);
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
		const line = {
			startSeconds: startSeconds + this.#offsetSeconds,
			endSeconds: endSeconds + this.#offsetSeconds,
			text: text.trim(),
			language,
		};
		if (line.text !== '') {
			this.lines.push(line);
			this.#log.append(captionLine(line.startSeconds, language, line.text));
		}
		this.#show();
	}

	/** Shows missing speech. */
	showGap({ startSeconds, endSeconds, code }: Omit<Gap, 'type'>): void {
		const line = {
			startSeconds: startSeconds + this.#offsetSeconds,
			endSeconds: endSeconds + this.#offsetSeconds,
			gap: code,
		};
		const words = styledText('lost', gapText(line, this.#texts));
		this.lines.push(line);
		this.#gaps.set(words, line);
		this.#log.append(captionLine(line.startSeconds, null, words));
		this.#show();
	}

	/** Removes the partial: no final will follow. */
	dropGuesses(): void {
		this.#open.clear();
		this.#show();
	}

	/** Removes all captions. */
	clear(): void {
		this.lines.length = 0;
		this.#gaps.clear();
		this.#log.replaceChildren();
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
		this.#exportToolbar.enabled = this.lines.length > 0;
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

function fileName(): string {
	const now = new Date();
	const two = (value: number): string => String(value).padStart(2, '0');
	const date = [now.getFullYear(), two(now.getMonth() + 1), two(now.getDate())].join('-');
	return `captions-${date}-${two(now.getHours())}${two(now.getMinutes())}`;
}
