/** Recordings that were dropped or chosen, transcribed in order; each with its progress, text and export buttons. */

import { AuricleError } from '../src/index.js';
import { captionLine, styledText } from './caption-line.js';
import { type CaptionTexts, problem, type Sentence } from './caption-texts.js';
import { byId, setText } from './dom.js';
import { type FileProgress, type FileTranscript, transcribeFile } from './file-job.js';
import { gapText } from './gap-line.js';
import { asksForKey, type Key } from './key.js';
import { ExportToolbar } from './export-toolbar.js';
import { isGap, type TranscriptLine } from './transcript.js';

/** The list of recordings. */
export class Recordings {
	readonly #place = byId('recordings', HTMLElement);
	readonly #shown = new Set<Recording>();
	readonly #key: Key;
	readonly #language: () => string | null;
	readonly #showProblem: (sentence: Sentence | null) => void;
	#texts: CaptionTexts;
	#isWorking = false;

	/**
	 * @param texts - Texts of the list.
	 * @param key - The key for the server.
	 * @param language - Returns the spoken language; `null` to detect it.
	 * @param showProblem - Reports that a key is needed.
	 */
	constructor(
		texts: CaptionTexts,
		key: Key,
		language: () => string | null,
		showProblem: (sentence: Sentence | null) => void,
	) {
		this.#texts = texts;
		this.#key = key;
		this.#language = language;
		this.#showProblem = showProblem;
		const chooser = byId('file', HTMLInputElement);
		chooser.addEventListener('change', () => {
			this.add([...(chooser.files ?? [])]);
			chooser.value = ''; // the same file may be chosen again
		});
		this.#takeDrops();
	}

	/** Changes the language. */
	render(texts: CaptionTexts): void {
		this.#texts = texts;
		this.#shown.forEach(recording => recording.render(texts));
	}

	/** Transcribes files, after those in the queue. */
	add(files: readonly File[]): void {
		for (const file of files) {
			const recording = new Recording(file, this.#texts, () => this.#shown.delete(recording));
			this.#shown.add(recording);
			this.#place.prepend(recording.element);
		}
		void this.#work();
	}

	async #work(): Promise<void> {
		if (this.#isWorking) {
			return;
		}
		this.#isWorking = true;
		for (const recording of this.#shown) {
			// Files added meanwhile are appended.
			if (recording.isWaiting) {
				const code = await recording.work(this.#key.value, this.#language());
				if (asksForKey(code ?? '')) {
					this.#showProblem(
						this.#key.ask(code ?? '', () => {
							this.#showProblem(null);
							void this.#work();
						}),
					);
					break;
				}
			}
		}
		this.#isWorking = false;
	}

	#takeDrops(): void {
		const look = document.body.classList;
		const hasFiles = (event: DragEvent): boolean => event.dataTransfer?.types.includes('Files') ?? false;
		document.addEventListener('dragover', event => {
			if (hasFiles(event)) {
				event.preventDefault();
				look.add('dropping');
			}
		});
		document.addEventListener('dragleave', event => {
			if (event.relatedTarget === null) {
				look.remove('dropping');
			}
		});
		document.addEventListener('drop', event => {
			look.remove('dropping');
			if (hasFiles(event)) {
				event.preventDefault();
				this.add([...(event.dataTransfer?.files ?? [])]);
			}
		});
	}
}

/** One recording. */
class Recording {
	readonly element = document.createElement('article');
	readonly #file: File;
	readonly #state = document.createElement('p');
	readonly #progress = document.createElement('progress');
	readonly #text = document.createElement('div');
	readonly #remove = document.createElement('button');
	readonly #exportToolbar: ExportToolbar;
	readonly #abort = new AbortController();
	#lines: readonly TranscriptLine[] = [];
	#texts: CaptionTexts;
	#sentence: Sentence = texts => texts.files.waiting;
	#isWaiting = true;
	#isOver = false;

	constructor(file: File, texts: CaptionTexts, whenRemoved: () => void) {
		this.#file = file;
		this.#texts = texts;
		const name = document.createElement('h3');
		name.textContent = file.name;
		this.#state.className = 'note';
		this.#state.setAttribute('role', 'status');
		this.#text.className = 'lines';
		this.#remove.type = 'button';
		this.#remove.className = 'small';
		this.#remove.addEventListener('click', () => {
			this.#abort.abort();
			this.#isWaiting = false;
			this.element.remove();
			byId('file', HTMLInputElement).focus(); // its button had the focus
			whenRemoved();
		});
		this.#exportToolbar = new ExportToolbar(
			texts,
			() => this.#lines,
			() => file.name.replace(/\.[^.]*$/, ''),
		);
		this.#exportToolbar.element.hidden = true;
		const head = document.createElement('div');
		head.className = 'bar';
		head.append(name, this.#remove);
		this.element.className = 'recording';
		this.element.append(head, this.#state, this.#progress, this.#text, this.#exportToolbar.element);
		this.render(texts);
	}

	/** Whether its transcription has not started yet. */
	get isWaiting(): boolean {
		return this.#isWaiting;
	}

	/** Changes the language. */
	render(texts: CaptionTexts): void {
		this.#texts = texts;
		this.#exportToolbar.render(texts);
		const { files } = texts;
		const { name } = this.#file;
		this.#remove.textContent = this.#isOver ? files.remove : files.cancel;
		this.#remove.setAttribute('aria-label', this.#isOver ? files.removeNamed(name) : files.cancelNamed(name));
		this.#progress.setAttribute('aria-label', files.progress(name));
		setText(this.#state, this.#sentence(texts));
		if (this.#lines.length > 0) {
			this.#showLines();
		}
	}

	/** Transcribes it; returns the code of the error if that failed. */
	async work(key: string | undefined, language: string | null): Promise<string | null> {
		this.#isWaiting = false;
		try {
			const { signal } = this.#abort;
			const onProgress = (progress: FileProgress): void => this.#showProgress(progress);
			this.#finish(await transcribeFile({ file: this.#file, language, key, signal, onProgress }));
			return null;
		} catch (error) {
			const code = error instanceof AuricleError ? error.code : 'internal';
			if (asksForKey(code)) {
				this.#isWaiting = true;
				this.#say(texts => texts.files.waiting);
			} else {
				this.#end(problem(code));
			}
			return code;
		}
	}

	#showProgress({ phase, share, text, problem: code }: FileProgress): void {
		if (code === null) {
			this.#say(texts => texts.files[phase]);
		} else {
			this.#say(texts => texts.files.again(problem(code)(texts)));
		}
		this.#progress.value = share;
		if (this.#text.textContent !== text) {
			this.#text.textContent = text;
			this.#text.scrollTop = this.#text.scrollHeight;
		}
	}

	#showLines(): void {
		this.#text.replaceChildren(
			...this.#lines.map(line => {
				return isGap(line)
					? captionLine(line.startSeconds, null, styledText('lost', gapText(line, this.#texts)))
					: captionLine(line.startSeconds, line.language, line.text);
			}),
		);
	}

	#finish({ lines }: FileTranscript): void {
		this.#lines = lines;
		this.#text.tabIndex = 0;
		this.#text.setAttribute('role', 'region');
		this.#text.setAttribute('aria-label', this.#file.name);
		this.#exportToolbar.element.hidden = lines.length === 0;
		const done = lines.length === 0 ? 'empty' : 'done';
		this.#end(texts => texts.files[lines.some(isGap) ? 'gaps' : done]);
	}

	#end(sentence: Sentence): void {
		this.#isOver = true;
		this.#progress.hidden = true;
		this.#say(sentence);
		this.render(this.#texts);
	}

	#say(sentence: Sentence): void {
		this.#sentence = sentence;
		setText(this.#state, sentence(this.#texts));
	}
}
