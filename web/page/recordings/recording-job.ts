/** One file while it is transcribed: its state for the views, and what of it is kept. */

import { AuricleError } from '../../src/index.js';
import { Claim } from '../claim.js';
import type { Keeper } from '../keeper.js';
import type { KeptTranscript } from '../kept.js';
import { asksForKey } from '../key.js';
import { type Remaining, RemainingTime } from './estimate.js';
import { deleteJob, type FileProgress, JobFailed, transcribeFile } from './file-job.js';
import type { FileChoice } from './file-options.js';

/** Errors of the file itself: another attempt would fail, too. */
const FINAL_CODES = new Set([
	'unsupported_format',
	'bad_audio',
	'empty_audio',
	'too_large',
	'too_long',
	'poison_job',
]);

/** State of a job. */
export type JobState =
	| { readonly phase: 'waiting' }
	| (FileProgress & { readonly remaining: Remaining | null })
	| { readonly phase: 'failed'; readonly code: string };

/** What a job reports. */
export interface JobListener {
	changed(job: RecordingJob): void;
	/** The server has the file: its audio is worth keeping. */
	accepted(job: RecordingJob): void;
	done(job: RecordingJob, transcript: KeptTranscript): void;
}

/** A file that is transcribed, or a job that a page before has started. */
export class RecordingJob {
	readonly claim: Claim;
	readonly name: string;
	readonly createdAt: number;
	readonly #keeper: Keeper;
	readonly #listener: JobListener;
	readonly #choice: FileChoice;
	readonly #abort = new AbortController();
	#file: Blob | null;
	#job: string | null;
	/** Whether the server has ended the job with an error: another attempt needs another job. */
	#hasFailedOnServer = false;
	#state: JobState = { phase: 'waiting' };

	/**
	 * @param kept - Its name, and what is known of it.
	 * @param file - The file; `null` if this browser does not have it any more.
	 * @param choice - How it is transcribed.
	 * @param keeper - Keeps its job and transcript.
	 * @param listener - Gets its changes.
	 */
	constructor(
		kept: KeptTranscript,
		file: Blob | null,
		choice: FileChoice,
		keeper: Keeper,
		listener: JobListener,
	) {
		this.claim = new Claim(kept.id);
		this.name = kept.name;
		this.#file = file;
		this.createdAt = kept.createdAt ?? kept.changedAt;
		this.#job = kept.job;
		this.#choice = choice;
		this.#keeper = keeper;
		this.#listener = listener;
	}

	/** ID of its kept transcript. */
	get id(): string {
		return this.claim.id;
	}

	/** What it does now. */
	get state(): JobState {
		return this.#state;
	}

	/** The file; `null` if this browser does not have it any more. */
	get file(): Blob | null {
		return this.#file;
	}

	/** Whether the server does not have all of the file yet. */
	get isUploading(): boolean {
		return this.#file !== null && this.#job === null && this.#state.phase !== 'failed';
	}

	/** What another attempt needs, if it may help: nothing but a press of a button, or the file; `null`: it can't help. */
	get retryNeeds(): 'nothing' | 'file' | null {
		if (this.#state.phase !== 'failed' || FINAL_CODES.has(this.#state.code)) {
			return null;
		}
		const hasJob = this.#job !== null && !this.#hasFailedOnServer && this.#state.code !== 'not_found';
		const hasFile = this.#file !== null && this.#state.code !== 'unreadable';
		return hasJob || hasFile ? 'nothing' : 'file';
	}

	/**
	 * Puts a failed file in the queue again.
	 *
	 * @param file - The file, if it was chosen again.
	 */
	retry(file: Blob | null = null): void {
		this.#file = file ?? this.#file;
		this.#change({ phase: 'waiting' });
	}

	/** Ends it, and removes what is kept of it. */
	async cancel(): Promise<void> {
		this.#abort.abort();
		await this.#keeper.remove([this.id]);
		this.claim.release();
	}

	/** Transcribes it; returns the code of the error if that failed. */
	async work(key: string | undefined): Promise<string | null> {
		const time = new RemainingTime();
		if (this.#hasFailedOnServer && this.#job !== null) {
			void deleteJob(this.#job, key);
			this.#job = null;
			this.#hasFailedOnServer = false;
		}
		try {
			const { id, model, lines, transcriptId } = await transcribeFile({
				...this.#choice,
				file: this.#file,
				id: this.#job,
				key,
				signal: this.#abort.signal,
				onProgress: progress => {
					const isRunning = progress.phase === 'running' && progress.problem === null;
					const remaining = isRunning ? time.record(progress.share, performance.now() / 1000) : null;
					this.#change({ ...progress, remaining });
				},
				onAccepted: id => {
					this.#job = id;
					void this.#keeper.keep(this.#record());
					this.#listener.accepted(this);
				},
			});
			this.#job = null;
			const onServer = transcriptId === null ? {} : { onServer: [transcriptId] };
			const transcript = { ...this.#record(), model, lines, ...onServer };
			const keeping = this.#keeper.keep(transcript);
			this.claim.release();
			this.#listener.done(this, transcript);
			void keeping.then(isKept => (isKept ? deleteJob(id, key) : undefined));
			return null;
		} catch (error) {
			const code = error instanceof AuricleError ? error.code : 'internal';
			this.#hasFailedOnServer = error instanceof JobFailed;
			if (!this.#abort.signal.aborted) {
				this.#change(asksForKey(code) ? { phase: 'waiting' } : { phase: 'failed', code });
			}
			return code;
		}
	}

	#record(): KeptTranscript {
		return {
			id: this.id,
			kind: 'recording',
			name: this.name,
			createdAt: this.createdAt,
			changedAt: Date.now(),
			lines: [],
			job: this.#job,
		};
	}

	#change(state: JobState): void {
		this.#state = state;
		this.#listener.changed(this);
	}
}
