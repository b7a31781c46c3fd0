/** The menu that copies a transcript, or saves it as a file. */

import { element, pressButton } from './dom.js';
import { gapReason, gapText } from './gap-line.js';
import {
	clock,
	type FileFormat,
	formatTranscript,
	isGap,
	type Line,
	MEDIA_TYPES,
	speakerOf,
	type TranscriptLine,
	type TranscriptWords,
} from './transcript.js';
import { paragraphsOf } from './paragraphs.js';
import { saveFile } from './save-file.js';
import type { CaptionTexts } from './caption-texts.js';
import type { DocxContent } from './recordings/docx.js';

const COPIED_MILLISECONDS = 2000;
const FORMATS = ['txt', 'srt', 'vtt', 'docx', 'md', 'json'] as const;

/** What is exported. */
export interface Exported {
	readonly title: string;
	/** Date, duration and the like. */
	readonly note: string;
	readonly lines: readonly TranscriptLine[];
}

/** The menu of one transcript. */
export class ExportMenu {
	readonly element = element('details', 'menu');
	readonly #summary = element('summary');
	readonly #copy: HTMLButtonElement;
	readonly #saves: readonly (readonly [(typeof FORMATS)[number], HTMLButtonElement])[];
	readonly #exported: () => Exported;
	#texts: CaptionTexts;

	/**
	 * @param texts - Texts of the menu.
	 * @param exported - Returns the transcript.
	 */
	constructor(texts: CaptionTexts, exported: () => Exported) {
		this.#texts = texts;
		this.#exported = exported;
		this.#copy = pressButton('plain', () => void this.#copyText());
		this.#copy.hidden = !('clipboard' in navigator); // missing over plain HTTP
		this.#saves = FORMATS.map(format => {
			const save = pressButton('plain', () => {
				this.#close();
				void this.#save(format);
			});
			return [format, save] as const;
		});
		this.element.append(
			this.#summary,
			element('div', 'menu-items', this.#copy, ...this.#saves.map(([, save]) => save)),
		);
		this.element.addEventListener('keydown', event => {
			if (event.key === 'Escape' && this.element.open) {
				this.#close();
			}
		});
		this.element.addEventListener('focusout', ({ relatedTarget }) => this.#closeUnlessIn(relatedTarget));
		const press = ({ target }: Event): void => this.#closeUnlessIn(target);
		this.element.addEventListener('toggle', () => {
			if (this.element.open) {
				document.addEventListener('pointerdown', press);
			} else {
				document.removeEventListener('pointerdown', press);
			}
		});
		this.render(texts);
	}

	/** Changes the language. */
	render(texts: CaptionTexts): void {
		this.#texts = texts;
		const { exports } = texts;
		this.#summary.textContent = exports.label;
		this.#copy.textContent = exports.copy;
		for (const [format, save] of this.#saves) {
			save.textContent = exports.formats[format];
		}
	}

	#closeUnlessIn(target: EventTarget | null): void {
		if (target instanceof Node && !this.element.contains(target)) {
			this.element.open = false;
		}
	}

	#close(): void {
		this.element.open = false;
		this.#summary.focus();
	}

	async #copyText(): Promise<void> {
		await navigator.clipboard.writeText(this.#formatted('txt'));
		this.#copy.textContent = this.#texts.exports.copied;
		setTimeout(() => this.render(this.#texts), COPIED_MILLISECONDS);
	}

	async #save(format: (typeof FORMATS)[number]): Promise<void> {
		const name = `${fileName(this.#exported().title)}.${format}`;
		if (format === 'docx') {
			const { docx, DOCX_MEDIA_TYPE } = await import('./recordings/docx.js');
			saveFile(new Blob([docx(this.#document())], { type: DOCX_MEDIA_TYPE }), name);
		} else if (format === 'md') {
			const { markdown } = await import('./recordings/markdown.js');
			const { title, note, lines } = this.#exported();
			saveFile(new Blob([markdown(title, note, lines, this.#words)], { type: 'text/markdown' }), name);
		} else {
			saveFile(new Blob([this.#formatted(format)], { type: MEDIA_TYPES[format] }), name);
		}
	}

	#formatted(format: FileFormat): string {
		return formatTranscript(this.#exported().lines, format, this.#words);
	}

	#document(): DocxContent {
		const { title, note, lines } = this.#exported();
		const spoken = lines.find((line): line is Line => !isGap(line));
		let before: string | null = null;
		const paragraphs = paragraphsOf(lines).flatMap(paragraph => {
			const [first] = paragraph;
			if (first === undefined) {
				return [];
			}
			const time = clock(first.startSeconds);
			if (isGap(first)) {
				return [{ time, speaker: null, text: this.#words.text(first), isGap: true }];
			}
			const name = speakerOf(first, this.#words);
			const speaker = name === before ? null : name;
			before = name;
			const text = paragraph.map(line => (isGap(line) ? '' : line.text)).join(' ');
			return [{ time, speaker, text, isGap: false }];
		});
		return { title, note, language: spoken?.language ?? null, paragraphs };
	}

	get #words(): TranscriptWords {
		const page = this.#texts;
		return {
			text: line => gapText(line, page),
			reason: line => gapReason(line, page),
			speaker: page.speakers.name,
		};
	}
}

/** Returns a title without the extension of a file, and without what file systems forbid. */
function fileName(title: string): string {
	const name = title.replace(/\.\w{1,5}$/, '').replace(/[\\/:*?"<>|\p{Cc}]/gu, '-');
	return name.trim() === '' ? 'transcript' : name.trim();
}
