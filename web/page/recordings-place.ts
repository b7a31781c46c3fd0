/** The place of recordings: files in work, and the transcripts that this browser keeps. Loaded on first use. */

import type { CaptionTexts, Sentence } from './caption-texts.js';
import type { KeptTranscript } from './kept.js';
import { KeptList } from './kept-list.js';
import type { Keeper } from './keeper.js';
import type { Key } from './key.js';
import type { SpeechChoice } from './live.js';
import { Recordings } from './recordings.js';

/** What the place uses of the page around it. */
export interface Surroundings {
	readonly key: Key;
	readonly keeper: Keeper;
	/** The chosen model and language. */
	readonly speech: () => SpeechChoice;
	/** ID of the captions in the Live place, which the list leaves out. */
	readonly liveId: () => string;
	/** Shows kept captions in the Live place, to be continued. */
	readonly continueLive: (transcript: KeptTranscript) => void;
	readonly showProblem: (sentence: Sentence | null) => void;
}

/** The place; one for the page. */
export class RecordingsPlace {
	readonly #keeper: Keeper;
	readonly #liveId: () => string;
	readonly #recordings: Recordings;
	readonly #list: KeptList;

	/**
	 * @param texts - Texts of the place.
	 * @param page - The page around it.
	 */
	constructor(texts: CaptionTexts, page: Surroundings) {
		const { key, keeper, speech, showProblem } = page;
		this.#keeper = keeper;
		this.#liveId = page.liveId;
		this.#recordings = new Recordings(texts, key, keeper, speech, showProblem);
		this.#list = new KeptList(texts, {
			open: transcript => {
				if (transcript.kind === 'captions') {
					page.continueLive(transcript);
				} else {
					void this.#recordings.open(transcript).then(() => this.refresh());
				}
			},
			remove: ids => void keeper.remove(ids).then(() => this.refresh()),
		});
	}

	/** Whether a file is not on the server yet: closing the page now would stop it. */
	get isUploading(): boolean {
		return this.#recordings.isUploading;
	}

	/** Whether captions are being added in the Live place: no others can be shown there then. */
	set isListening(isListening: boolean) {
		this.#list.isListening = isListening;
	}

	/** Changes the language. */
	render(texts: CaptionTexts): void {
		this.#recordings.render(texts);
		this.#list.render(texts);
	}

	/** Transcribes files, after those in the queue. */
	add(files: readonly File[]): void {
		this.#recordings.add(files);
	}

	/** Finds the jobs again that a page before has started. */
	async resume(kept: readonly KeptTranscript[]): Promise<void> {
		const jobs = kept.filter(({ job }) => job !== null);
		await Promise.all(jobs.map(transcript => this.#recordings.open(transcript)));
		await this.refresh();
	}

	/** Lists the kept transcripts again; other tabs and the Live place change them, too. */
	async refresh(): Promise<void> {
		const kept = await this.#keeper.list();
		this.#list.show(
			kept.filter(({ id, job }) => job === null && id !== this.#liveId() && !this.#recordings.has(id)),
		);
	}
}
