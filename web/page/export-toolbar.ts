/** Buttons that copy a transcript, or save it as a file. */

import type { CaptionTexts } from './caption-texts.js';
import { gapReason, gapText } from './gap-line.js';
import {
	type FileFormat,
	FILE_FORMATS,
	MEDIA_TYPES,
	type TranscriptLine,
	formatTranscript,
} from './transcript.js';

const COPIED_MILLISECONDS = 2000;

/** The buttons of one transcript. */
export class ExportToolbar {
	readonly element = document.createElement('div');
	readonly #copy = button();
	readonly #saves = FILE_FORMATS.map(format => [format, button(format.toUpperCase())] as const);
	#texts: CaptionTexts;

	/**
	 * @param texts - Texts of the buttons.
	 * @param lines - Returns the transcript.
	 * @param name - Returns the file's name without its extension.
	 */
	constructor(texts: CaptionTexts, lines: () => readonly TranscriptLine[], name: () => string) {
		this.#texts = texts;
		this.element.className = 'tools';
		const saves = document.createElement('div');
		saves.className = 'saves';
		saves.setAttribute('role', 'group');
		saves.append(...this.#saves.map(([, save]) => save));
		this.element.append(this.#copy, saves);
		this.#copy.hidden = !('clipboard' in navigator); // missing over plain HTTP
		this.#copy.addEventListener('click', () => {
			void navigator.clipboard.writeText(this.#formatted(lines(), 'txt')).then(() => {
				this.#copy.textContent = this.#texts.tools.copied;
				setTimeout(() => this.render(this.#texts), COPIED_MILLISECONDS);
			});
		});
		for (const [format, save] of this.#saves) {
			save.addEventListener('click', () => {
				const content = this.#formatted(lines(), format);
				saveFile(new Blob([content], { type: MEDIA_TYPES[format] }), `${name()}.${format}`);
			});
		}
		this.render(texts);
	}

	#formatted(lines: readonly TranscriptLine[], format: FileFormat): string {
		return formatTranscript(lines, format, {
			text: line => gapText(line, this.#texts),
			reason: line => gapReason(line, this.#texts),
			speaker: this.#texts.speakers.name,
		});
	}

	/** Changes the language. */
	render(texts: CaptionTexts): void {
		this.#texts = texts;
		this.#copy.textContent = texts.tools.copy;
		this.#saves[0]?.[1].parentElement?.setAttribute('aria-label', texts.tools.download);
		for (const [format, save] of this.#saves) {
			save.title = texts.tools.downloadAs(format.toUpperCase());
		}
	}
}

function button(text = ''): HTMLButtonElement {
	const made = document.createElement('button');
	made.type = 'button';
	made.className = 'small';
	made.textContent = text;
	return made;
}

function saveFile(content: Blob, name: string): void {
	const link = document.createElement('a');
	link.href = URL.createObjectURL(content);
	link.download = name;
	link.click();
	setTimeout(() => URL.revokeObjectURL(link.href), 60_000); // Safari reads it later
}
