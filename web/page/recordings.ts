/** Recordings that were dropped or chosen, transcribed in order; each with its progress, text and export buttons. */

import { AuricleError } from '../src/index.js';
import { captionLine, speakerName, styledText } from './caption-line.js';
import { type CaptionTexts, problem, type Sentence } from './caption-texts.js';
import { Claim, newId } from './claim.js';
import { byId, setText } from './dom.js';
import { deleteJob, type FileProgress, transcribeFile } from './file-job.js';
import { gapText } from './gap-line.js';
import type { KeptTranscript } from './kept.js';
import type { Keeper } from './keeper.js';
import { asksForKey, type Key } from './key.js';
import type { SpeechChoice } from './live.js';
import { ExportToolbar } from './export-toolbar.js';
import { isGap, speakerOf, type TranscriptLine } from './transcript.js';

/** The list of recordings. */
export class Recordings {
	readonly #place = byId('recording-list', HTMLElement);
	readonly #shown = new Set<Recording>();
	readonly #key: Key;
	readonly #keeper: Keeper;
	readonly #speech: () => SpeechChoice;
	readonly #showProblem: (sentence: Sentence | null) => void;
	#texts: CaptionTexts;
	#isWorking = false;

	/**
	 * @param texts - Texts of the list.
	 * @param key - The key for the server.
	 * @param keeper - Keeps jobs and transcripts.
	 * @param speech - Returns the choice of the model and the language.
	 * @param showProblem - Reports that a key is needed.
	 */
	constructor(
		texts: CaptionTexts,
		key: Key,
		keeper: Keeper,
		speech: () => SpeechChoice,
		showProblem: (sentence: Sentence | null) => void,
	) {
		this.#texts = texts;
		this.#key = key;
		this.#keeper = keeper;
		this.#speech = speech;
		this.#showProblem = showProblem;
		const chooser = byId('file', HTMLInputElement);
		chooser.addEventListener('change', () => {
			this.add([...(chooser.files ?? [])]);
			chooser.value = ''; // the same file may be chosen again
		});
	}

	/** Changes the language. */
	render(texts: CaptionTexts): void {
		this.#texts = texts;
		this.#shown.forEach(recording => recording.render(texts));
	}

	/** Whether a file is not on the server yet: closing the page now would stop it. */
	get isUploading(): boolean {
		return [...this.#shown].some(recording => recording.isUploading);
	}

	/** Returns whether a recording is in the list. */
	has(id: string): boolean {
		return [...this.#shown].some(recording => recording.id === id);
	}

	/** Transcribes files, after those in the queue. */
	add(files: readonly File[]): void {
		for (const file of files) {
			const kept = {
				id: newId(),
				kind: 'recording',
				name: file.name,
				changedAt: 0,
				lines: [],
				job: null,
			} as const;
			this.#insert(new Recording(kept, file, this.#keeper, this.#texts));
		}
		void this.#work();
	}

	/** Shows a kept recording: its transcript, or the progress of its job unless another tab shows that. */
	async open(kept: KeptTranscript): Promise<void> {
		const recording = new Recording(kept, null, this.#keeper, this.#texts);
		const isDone = kept.job === null;
		if ((isDone || (await recording.claim.take())) && !this.has(kept.id)) {
			this.#insert(recording);
			if (isDone) {
				recording.focus();
			}
			void this.#work();
		}
	}

	#insert(recording: Recording): void {
		void recording.claim.take();
		recording.whenRemoved = () => this.#shown.delete(recording);
		this.#shown.add(recording);
		this.#place.prepend(recording.element);
	}

	async #work(): Promise<void> {
		if (this.#isWorking) {
			return;
		}
		this.#isWorking = true;
		for (const recording of this.#shown) {
			// Files added meanwhile are appended.
			if (recording.isWaiting) {
				const code = await recording.work(this.#key.value, this.#speech());
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
}

/** One recording. */
class Recording {
	readonly element = document.createElement('article');
	readonly claim: Claim;
	whenRemoved: () => void = () => undefined;
	readonly #name: string;
	readonly #file: File | null;
	readonly #keeper: Keeper;
	readonly #state = document.createElement('p');
	readonly #progress = document.createElement('progress');
	readonly #text = document.createElement('div');
	readonly #remove = document.createElement('button');
	readonly #exportToolbar: ExportToolbar;
	readonly #abort = new AbortController();
	#lines: readonly TranscriptLine[] = [];
	#job: string | null;
	#texts: CaptionTexts;
	#sentence: Sentence = texts => texts.files.waiting;
	#isWaiting = true;
	#isOver = false;

	/**
	 * @param kept - Its name, and what is known of it.
	 * @param file - The file; `null` if only the page before had it.
	 * @param keeper - Keeps its job and transcript.
	 * @param texts - Texts of its buttons.
	 */
	constructor(kept: KeptTranscript, file: File | null, keeper: Keeper, texts: CaptionTexts) {
		this.claim = new Claim(kept.id);
		this.#name = kept.name;
		this.#job = kept.job;
		this.#file = file;
		this.#keeper = keeper;
		this.#texts = texts;
		const name = document.createElement('h3');
		name.textContent = kept.name;
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
			this.whenRemoved();
			void this.#keeper.remove([kept.id]);
			this.claim.release();
		});
		this.#exportToolbar = new ExportToolbar(
			texts,
			() => this.#lines,
			() => kept.name.replace(/\.[^.]*$/, ''),
		);
		this.#exportToolbar.element.hidden = true;
		const head = document.createElement('div');
		head.className = 'bar';
		head.append(name, this.#remove);
		this.element.className = 'recording';
		this.element.append(head, this.#state, this.#progress, this.#text, this.#exportToolbar.element);
		this.render(texts);
		if (file === null && kept.job === null) {
			this.#isWaiting = false;
			this.#finish(kept.lines);
		}
	}

	/** ID of its kept transcript. */
	get id(): string {
		return this.claim.id;
	}

	/** Whether the server does not have all of the file yet. */
	get isUploading(): boolean {
		return this.#file !== null && this.#job === null && !this.#isOver;
	}

	/** Whether its transcription has not started yet. */
	get isWaiting(): boolean {
		return this.#isWaiting;
	}

	/** Focuses its text. */
	focus(): void {
		this.#text.focus();
	}

	/** Changes the language. */
	render(texts: CaptionTexts): void {
		this.#texts = texts;
		this.#exportToolbar.render(texts);
		const { files } = texts;
		const name = this.#name;
		this.#remove.textContent = this.#isOver ? files.remove : files.cancel;
		this.#remove.setAttribute('aria-label', this.#isOver ? files.removeNamed(name) : files.cancelNamed(name));
		this.#progress.setAttribute('aria-label', files.progress(name));
		setText(this.#state, this.#sentence(texts));
		if (this.#lines.length > 0) {
			this.#showLines();
		}
	}

	/** Transcribes it; returns the code of the error if that failed. */
	async work(key: string | undefined, speech: SpeechChoice): Promise<string | null> {
		this.#isWaiting = false;
		try {
			const { id, lines } = await transcribeFile({
				file: this.#file,
				id: this.#job,
				...speech,
				key,
				signal: this.#abort.signal,
				onProgress: progress => this.#showProgress(progress),
				onAccepted: id => {
					this.#job = id;
					void this.#keep();
				},
			});
			this.#job = null;
			this.#finish(lines);
			void this.#keep().then(isKept => (isKept ? deleteJob(id, key) : undefined));
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
				if (isGap(line)) {
					return captionLine(line.startSeconds, null, styledText('lost', gapText(line, this.#texts)));
				}
				const element = captionLine(line.startSeconds, line.language, line.text);
				if (line.speaker !== undefined) {
					const name = speakerOf(line, { speaker: this.#texts.speakers.name }) ?? '';
					element.querySelector('.words')?.before(speakerName(line.speaker, name), ' ');
				}
				return element;
			}),
		);
	}

	/** Keeps its job or its lines; returns whether they are stored. */
	async #keep(): Promise<boolean> {
		if (this.#abort.signal.aborted) {
			return false;
		}
		return this.#keeper.keep({
			id: this.id,
			kind: 'recording',
			name: this.#name,
			changedAt: Date.now(),
			lines: this.#lines,
			job: this.#job,
		});
	}

	#finish(lines: readonly TranscriptLine[]): void {
		this.#lines = lines;
		this.#text.tabIndex = 0;
		this.#text.setAttribute('role', 'region');
		this.#text.setAttribute('aria-label', this.#name);
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
