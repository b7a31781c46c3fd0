/** The place of recordings: a list, and beside it the transcript or the file in work that the address names. */

import type { CaptionTexts, Sentence } from '../caption-texts.js';
import columnStyles from '../columns.css?inline';
import { newId } from '../claim.js';
import { byId, element } from '../dom.js';
import type { Language } from '../i18n.js';
import type { KeptTranscript } from '../kept.js';
import type { Keeper } from '../keeper.js';
import type { Key } from '../key.js';
import { adoptStyles } from '../late-styles.js';
import { fragmentOf } from '../place.js';
import editStyles from './edits.css?inline';
import { FileOptions } from './file-options.js';
import { DeletionBar } from './deletion-bar.js';
import { type Deleted, Deletions } from './deletions.js';
import { FreshView } from './fresh-view.js';
import { JobQueue } from './job-queue.js';
import { JobView } from './job-view.js';
import { KnownVoices } from './known-voices.js';
import { Library, placeId, serverId } from './library.js';
import { ListView } from './list-view.js';
import { deletedOnServer } from './pending-deletions.js';
import { RecordingJob } from './recording-job.js';
import { linesOfKept } from './result-lines.js';
import styles from './recordings.css?inline';
import { ServerTranscripts } from './server-transcripts.js';
import { type PlaceTexts, RECORDING_TEXTS } from './texts.js';
import type { WordBarSource } from '../vocabularies/word-bar.js';
import { serverProblem, type ShownTranscript, TranscriptView } from './transcript-view.js';

/** What the place uses of the page around it. */
export interface Surroundings {
	readonly key: Key;
	readonly keeper: Keeper;
	/** ID of the captions in the Live place. */
	readonly liveId: () => string;
	/** Takes the captions out of the Live place; returns whether that is possible now. */
	readonly releaseLive: () => boolean;
	/** Whether the Live place adds captions: it can't continue others then. */
	readonly isListening: () => boolean;
	/** Shows kept captions in the Live place, to be continued. */
	readonly continueLive: (transcript: KeptTranscript) => void;
	readonly showProblem: (sentence: Sentence | null) => void;
	/** Loads what adds words to a vocabulary; in the first script, which knows that its styles are in the page. */
	readonly loadWordBar: WordBarSource['load'];
	/** The vocabularies of the key have changed. */
	readonly vocabulariesChanged: () => void;
	/** Goes to a recording; `null`: to the list. */
	readonly go: (id: string | null) => void;
}

/** The place; one for the page. */
export class RecordingsPlace {
	readonly #page: Surroundings;
	readonly #library: Library;
	readonly #queue: JobQueue;
	readonly #list: ListView;
	readonly #fresh: FreshView;
	readonly #options: FileOptions;
	readonly #deletions: Deletions;
	readonly #deleted: DeletionBar;
	readonly #voices: KnownVoices;
	readonly #back = element('a', 'back');
	readonly #main = element('div', 'column-main card');
	readonly #place = byId('recordings', HTMLElement);
	#texts: PlaceTexts;
	#shown: TranscriptView | JobView | null = null;
	#shownId: string | null = null;

	/**
	 * @param texts - Texts of the page.
	 * @param language - Their language.
	 * @param page - The page around it.
	 */
	constructor(texts: CaptionTexts, language: Language, page: Surroundings) {
		this.#texts = { page: texts, own: RECORDING_TEXTS[language], language };
		this.#page = page;
		this.#library = new Library(page.keeper, new ServerTranscripts(page.key));
		this.#voices = new KnownVoices(
			this.#texts,
			page.key,
			error => page.showProblem(serverProblem(error)),
			() => this.#showWithoutVoice(),
		);
		this.#queue = new JobQueue(page.key, page.showProblem);
		this.#options = new FileOptions(this.#texts, page.key);
		this.#fresh = new FreshView(this.#texts, this.#options, files => void this.add(files));
		this.#list = new ListView(this.#texts, {
			library: this.#library,
			jobs: () => this.#queue.jobs,
			liveId: page.liveId,
			retry: job => {
				this.#retry(job);
				this.#list.focusJob(job); // its button is in another group now
			},
			removeAll: ids => this.#remove({ ids, onServer: [], name: '' }),
		});
		this.#list.element.addEventListener('click', ({ target }) => {
			const isShown = target instanceof Element && target.closest('.row[aria-current]') !== null;
			if (isShown && this.#shown instanceof TranscriptView && this.#list.query !== '') {
				this.#shown.find(this.#list.query); // the address stays, so nothing else opens it again
			}
		});
		this.#deletions = new Deletions(
			{
				here: ids => this.#library.remove(ids),
				onServer: ids => this.#library.removeFromServer(ids),
				onServerAtEnd: ids => this.#library.server.removeAtEnd(ids),
			},
			{
				changed: undoable => {
					this.#deleted.show(undoable);
					this.#list.show();
				},
				failed: error => {
					page.showProblem(serverProblem(error));
					this.#list.show();
				},
			},
		);
		this.#deleted = new DeletionBar(
			this.#texts,
			({ id, ids, onServer }) => {
				this.#deletions.undo(id);
				const [first] = [...ids, ...onServer.map(placeId)];
				page.go(ids.length > 1 ? null : (first ?? null));
			},
			() => this.#list.focus(),
		);
		window.addEventListener('pagehide', () => this.#deletions.close());
		[columnStyles, styles, editStyles].forEach(adoptStyles);
		this.#place.after(this.#deleted.element);
		this.#back.href = fragmentOf({ name: 'recordings', id: null });
		this.#main.append(this.#fresh.element);
		this.#place.append(
			element(
				'div',
				'columns',
				this.#list.element,
				element('div', '', this.#back, this.#main, this.#voices.element),
			),
		);
	}

	/** Whether a file is not on the server yet: closing the page now would stop it. */
	get isUploading(): boolean {
		return this.#queue.jobs.some(job => job.isUploading);
	}

	/** Changes the language. */
	render(texts: CaptionTexts, language: Language): void {
		this.#texts = { page: texts, own: RECORDING_TEXTS[language], language };
		this.#back.textContent = `← ${this.#texts.own.back}`;
		this.#list.render(this.#texts);
		this.#deleted.render(this.#texts);
		this.#voices.render(this.#texts);
		this.#fresh.render(this.#texts);
		this.#shown?.render(this.#texts);
	}

	/** Transcribes files, after those in the queue, and shows the first of them. */
	async add(files: readonly File[]): Promise<void> {
		await this.#options.load(); // the remembered model counts only if the server still has it
		const jobs = files.map(file => this.#job(record(file.name), file));
		jobs.forEach(job => this.#queue.add(job));
		const [first] = jobs;
		if (first !== undefined) {
			this.#list.show();
			this.#page.go(first.id);
		}
	}

	/** Finds the jobs again that a page before has started, unless another tab shows them; finishes its deletions. */
	async resume(kept: readonly KeptTranscript[]): Promise<void> {
		void this.#deletions.sweep();
		for (const transcript of kept.filter(({ job }) => job !== null)) {
			const job = this.#job(transcript, await this.#library.media(transcript.id));
			if (this.#queue.find(job.id) === null && (await job.claim.take())) {
				this.#queue.add(job);
			}
		}
		this.#list.show();
		if (this.#shownId !== null && this.#shown === null) {
			await this.show(this.#shownId);
		}
	}

	/** Shows a transcript or a file in work; `null`: only the list and the choice of files. */
	async show(id: string | null): Promise<void> {
		const isNew = id !== this.#shownId || this.#shown === null;
		this.#shownId = id;
		void this.#loadFromServer();
		await this.#library.refresh();
		if (id !== this.#shownId) {
			return; // the user has gone on
		}
		if (this.#shown instanceof TranscriptView && !isNew) {
			const kept = this.#library.find(id ?? '');
			if (kept !== null) {
				this.#shown.update(kept);
			}
		} else if (isNew) {
			await this.#open(id);
		}
		this.#list.shownId = id;
	}

	async #open(id: string | null): Promise<void> {
		const job = id === null ? null : this.#queue.find(id);
		let view: TranscriptView | JobView | null = null;
		if (job !== null) {
			view = new JobView(this.#texts, job, {
				cancel: job => void this.#cancel(job),
				retry: (job, file) => this.#retry(job, file),
			});
		} else if (id !== null) {
			const shown = await this.#find(id);
			if (id !== this.#shownId) {
				return;
			}
			view = shown === null ? null : new TranscriptView(this.#texts, shown, this.#context());
		}
		this.#replace(view);
		if (id !== null && view === null) {
			const { transcript } = this.#texts.own;
			const isInWork = this.#library.find(id) !== null;
			const note = isInWork ? transcript.isInWorkElsewhere : transcript.unknown;
			this.#main.replaceChildren(element('p', 'note', note));
		}
	}

	#replace(view: TranscriptView | JobView | null): void {
		if (this.#shown instanceof TranscriptView) {
			this.#shown.close();
		}
		const hadFocus = this.#main.contains(document.activeElement);
		const isInList = this.#list.element.contains(document.activeElement);
		this.#shown = view;
		this.#main.replaceChildren((view ?? this.#fresh).element);
		this.#place.classList.toggle('has-shown', this.#shownId !== null);
		window.scrollTo(0, 0);
		if (view instanceof TranscriptView && this.#list.query !== '') {
			view.find(this.#list.query);
		}
		if (hadFocus || isInList) {
			(view ?? this.#fresh).focus();
		}
	}

	#context(): ConstructorParameters<typeof TranscriptView>[2] {
		return {
			library: this.#library,
			voices: this.#voices,
			isLive: id => id === this.#page.liveId(),
			isListening: this.#page.isListening,
			releaseLive: this.#page.releaseLive,
			continueLive: this.#page.continueLive,
			showProblem: this.#page.showProblem,
			changed: () => this.#list.show(),
			remove: deleted => this.#remove(deleted),
			removed: () => {
				void this.#loadFromServer();
				this.#page.go(null);
			},
			words: {
				key: this.#page.key,
				isOffered: () => this.#options.hasVocabularies,
				load: this.#page.loadWordBar,
				showProblem: this.#page.showProblem,
				changed: this.#page.vocabulariesChanged,
			},
		};
	}

	async #find(id: string): Promise<ShownTranscript | null> {
		const kept = this.#library.find(id);
		if (kept !== null) {
			return kept.job === null ? { kept, server: null } : null;
		}
		const onServer = serverId(id);
		const server =
			onServer === null || deletedOnServer().has(onServer) ? null : await this.#library.server.find(onServer);
		if (server === null) {
			return null;
		}
		const isJob = server.source === 'job';
		const shown = {
			...record(isJob ? this.#texts.own.list.serverJob : ''),
			id,
			kind: isJob ? 'recording' : 'captions',
			createdAt: 1000 * server.startedAt,
			lines: linesOfKept(server),
		} as const;
		return { kept: shown, server };
	}

	#retry(job: RecordingJob, file?: File): void {
		this.#queue.retry(job, file);
		this.#list.show();
	}

	#job(kept: KeptTranscript, file: Blob | null): RecordingJob {
		return new RecordingJob(kept, file, this.#options.value, this.#page.keeper, {
			changed: job => {
				this.#list.show();
				if (this.#shown instanceof JobView && this.#shownId === job.id) {
					this.#shown.show();
				}
			},
			accepted: job => {
				if (job.file !== null) {
					void this.#library.attach(job.id, job.file);
				}
			},
			done: (job, transcript) => {
				this.#queue.remove(job.id);
				this.#library.add(transcript);
				if (this.#shownId === job.id) {
					void this.#open(job.id);
				}
				void this.#loadFromServer();
				this.#list.show();
			},
		});
	}

	async #cancel(job: RecordingJob): Promise<void> {
		this.#queue.remove(job.id);
		this.#page.go(null);
		await job.cancel();
		await this.#library.remove([job.id]);
		this.#list.show();
	}

	#remove(deleted: Deleted): void {
		this.#deletions.add(deleted);
		this.#page.go(null);
		this.#deleted.focus();
	}

	/** Shows the transcript without the names of a deleted voice. */
	#showWithoutVoice(): void {
		if (this.#shown instanceof TranscriptView) {
			void this.#shown.reload();
		}
		if (this.#voices.element.hidden) {
			(this.#shown ?? this.#fresh).focus();
		}
	}

	async #loadFromServer(): Promise<void> {
		await this.#options.load();
		await this.#deletions.sweep();
		await this.#library.refreshServer(this.#options.keepsTranscripts);
		if (this.#options.keepsTranscripts === true) {
			await this.#voices.refresh(); // a speaker of its transcripts may be remembered
		}
		if (this.#shown instanceof TranscriptView) {
			this.#shown.serverChanged();
		}
		this.#list.show();
	}
}

function record(name: string): KeptTranscript {
	const now = Date.now();
	return { id: newId(), kind: 'recording', name, createdAt: now, changedAt: now, lines: [], job: null };
}
