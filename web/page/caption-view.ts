/** The captions: finals in a log that screen readers announce, partials next to it without announcements. */

import type { Final, Gap, Partial, SpeakerRevision, SpeakerSegment } from '../src/index.js';
import { captionLine, speakerButton, styledText } from './caption-line.js';
import type { CaptionTexts } from './caption-texts.js';
import { byId } from './dom.js';
import { gapText } from './gap-line.js';
import { paragraphStarts, withSpeaker } from './paragraphs.js';
import { ExportMenu } from './export-menu.js';
import { IdleScreen } from './idle-screen.js';
import { SpeakerNames } from './speaker-names.js';
import { type GapLine, isGap, type Line, speakerOf, type TranscriptLine } from './transcript.js';

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
	readonly #idle = new IdleScreen(this.#section);
	readonly #clear = document.createElement('button');
	readonly #undo = document.createElement('button');
	readonly #open = new Map<number, Partial>();
	readonly #gaps = new Map<HTMLElement, GapLine>();
	readonly #speakers = new SpeakerNames();
	/** The elements of lines, and the numbers of the current stream's finals that they are part of. */
	readonly #elements = new Map<TranscriptLine, HTMLElement>();
	#finals = new WeakMap<TranscriptLine, number>();
	readonly #exports: ExportMenu;
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
		this.#exports = new ExportMenu(texts, () => ({
			title: fileName(),
			note: new Date().toLocaleString(document.documentElement.lang),
			lines: this.#lines,
		}));
		for (const button of [this.#clear, this.#undo]) {
			button.type = 'button';
			button.className = 'small';
		}
		this.#clear.addEventListener('click', () => {
			this.#clearLines();
			this.#undo.focus(); // the button with the focus is hidden now
		});
		this.#undo.addEventListener('click', () => {
			this.#undoClear();
			this.#clear.focus();
		});
		byId('captions-tools', HTMLElement).append(this.#exports.element, this.#clear, this.#undo);
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
		this.#exports.render(texts);
		for (const [words, line] of this.#gaps) {
			words.textContent = gapText(line, texts);
		}
		for (const [line, element] of this.#elements) {
			this.#showSpeaker(line, element);
		}
		this.#clear.textContent = texts.captions.clear;
		this.#undo.textContent = texts.captions.undo;
		this.#beamer.textContent = this.#isProjecting ? texts.captions.leave : texts.captions.beamer;
	}

	/** Its lines, in order. */
	get lines(): readonly TranscriptLine[] {
		return this.#lines;
	}

	/** Shows the page again. */
	leaveFullScreen(): void {
		this.#project(false);
	}

	/** Shows these lines in the place of the current ones. */
	open(lines: readonly TranscriptLine[]): void {
		this.#cleared = [];
		this.#speakers.open(lines);
		this.#replace(lines);
	}

	/** Starts another stream; its clock continues after the existing captions. */
	begin(): void {
		this.#offsetSeconds = endOf(this.#lines);
		if (this.#lines.length === 0) {
			this.#clearedOffsetSeconds = endOf(this.#cleared);
		}
		this.#speakers.begin([...this.#cleared, ...this.#lines]);
		this.#finals = new WeakMap();
	}

	/** Shows a partial. */
	showPartial(partial: Partial): void {
		this.#open.set(partial.utterance, partial);
		this.#show();
	}

	/** Adds a final. */
	showFinal({
		id,
		utterance,
		text,
		startSeconds,
		endSeconds,
		language,
		error,
		segments,
		speakers,
	}: Final): void {
		for (const open of this.#open.keys()) {
			if (open <= utterance) {
				this.#open.delete(open);
			}
		}
		if (error !== null) {
			this.showGap({ startSeconds, endSeconds, code: error });
			return;
		}
		this.#speakers.know(segments?.map(({ speaker }) => speaker) ?? [], speakers);
		const parts = segments ?? [{ startSeconds, endSeconds, text, speaker: null }];
		for (const line of this.#linesOf(parts, language)) {
			this.#finals.set(this.#add(line), id);
		}
		this.#show();
	}

	/** Shows other speakers for earlier finals. */
	reviseSpeakers({ finals }: SpeakerRevision): void {
		for (const { id, segments, speakers } of finals) {
			this.#speakers.know(
				segments.map(({ speaker }) => speaker),
				speakers,
			);
			const before = this.#lines.filter(line => this.#finals.get(line) === id);
			const [first] = before;
			if (first !== undefined && !isGap(first) && segments.length > 0) {
				const lines = this.#linesOf(segments, first.language);
				this.#exchange(
					before,
					lines.map(line => shifted(line, this.#offsetSeconds)),
				);
			}
		}
		this.#whenChanged();
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

	/** Adds a line with times of the current stream, and returns it with those of the page. */
	#add(line: TranscriptLine): TranscriptLine {
		const added = shifted(line, this.#offsetSeconds);
		this.#lines.push(added);
		this.#log.append(this.#elementOf(added));
		this.#whenChanged();
		return added;
	}

	#linesOf(parts: readonly SpeakerSegment[], language: string | null): Line[] {
		return parts.flatMap(({ startSeconds, endSeconds, text, speaker }) => {
			const spoken = text.trim();
			const fields = this.#speakers.fields(speaker);
			return spoken === '' ? [] : [{ startSeconds, endSeconds, text: spoken, language, ...fields }];
		});
	}

	/** Replaces neighbouring lines; lines with the same text stay, so that they are not announced again. */
	#exchange(before: readonly TranscriptLine[], after: readonly Line[]): void {
		const [first] = before;
		if (first === undefined) {
			return;
		}
		const id = this.#finals.get(first);
		const isSame =
			before.length === after.length &&
			before.every((line, index) => !isGap(line) && line.text === after[index]?.text);
		this.#lines.splice(this.#lines.indexOf(first), before.length, ...after);
		const old = before.map(line => this.#elements.get(line));
		before.forEach(line => this.#elements.delete(line));
		for (const [index, line] of after.entries()) {
			if (id !== undefined) {
				this.#finals.set(line, id);
			}
			const element = old[index];
			if (isSame && element !== undefined) {
				this.#elements.set(line, element);
				this.#showSpeaker(line, element);
			} else {
				old[0]?.before(this.#elementOf(line));
			}
		}
		if (!isSame) {
			old.forEach(element => element?.remove());
		}
	}

	#elementOf(line: TranscriptLine): HTMLElement {
		if (isGap(line)) {
			const words = styledText('lost', gapText(line, this.#texts));
			this.#gaps.set(words, line);
			return captionLine(line.startSeconds, null, words);
		}
		const element = captionLine(line.startSeconds, line.language, line.text);
		this.#elements.set(line, element);
		this.#showSpeaker(line, element);
		return element;
	}

	/** Shows the speaker before the words of a line. */
	#showSpeaker(line: TranscriptLine, element: HTMLElement): void {
		element.querySelector('.speaker')?.remove();
		if (isGap(line) || line.speaker === undefined) {
			return;
		}
		const { speaker } = line;
		const { speakers } = this.#texts;
		const button = speakerButton(speaker, speakerOf(line, { speaker: speakers.name }) ?? '', speakers.rename);
		button.addEventListener('click', () => this.#rename(speaker, button));
		element.querySelector('.words')?.before(button, ' ');
	}

	/** Asks for a speaker's name, and shows it in all lines. */
	#rename(speaker: number, button: HTMLButtonElement): void {
		const { speakers } = this.#texts;
		const current = (button.lastChild?.textContent ?? '').trim();
		const name = prompt(speakers.ask(current), current)?.trim();
		if (name === undefined || name === current) {
			return;
		}
		const usual = (number: number): string => speakers.name(number + 1);
		const renamed = this.#speakers.rename(this.#lines, speaker, name, usual);
		this.#lines.forEach((line, index) => {
			const after = renamed[index];
			if (after !== undefined && after !== line && !isGap(after)) {
				this.#exchange([line], [after]);
			}
		});
		this.#whenChanged();
	}

	#replace(lines: readonly TranscriptLine[]): void {
		this.#lines = [...lines];
		this.#gaps.clear();
		this.#elements.clear();
		this.#log.replaceChildren(...this.#lines.map(line => this.#elementOf(line)));
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
		this.#markParagraphs();
		this.#empty.hidden = hasLines || partials.length > 0;
		this.#clear.hidden = !hasLines;
		this.#undo.hidden = this.#cleared.length === 0;
		this.#exports.element.hidden = !hasLines;
		this.#follow();
	}

	/** Marks the lines with which paragraphs start. */
	#markParagraphs(): void {
		const last = this.#lines.at(-1);
		const open = [...this.#open.values()].map(({ startSeconds, endSeconds, stable, unstable }) => {
			const line = { startSeconds, endSeconds, text: stable + unstable, language: null };
			return withSpeaker(shifted(line, this.#offsetSeconds), last);
		});
		const elements = [...this.#log.children, ...this.#partials.children];
		paragraphStarts([...this.#lines, ...open]).forEach((isFirst, index) => {
			elements[index]?.classList.toggle('first', isFirst);
		});
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
		this.#idle.watch(isOn);
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

function shifted<T extends TranscriptLine>(line: T, seconds: number): T {
	return { ...line, startSeconds: line.startSeconds + seconds, endSeconds: line.endSeconds + seconds };
}

function fileName(): string {
	const now = new Date();
	const two = (value: number): string => String(value).padStart(2, '0');
	const date = [now.getFullYear(), two(now.getMonth() + 1), two(now.getDate())].join('-');
	return `captions-${date}-${two(now.getHours())}${two(now.getMinutes())}`;
}
