/** Transcribes files one after another, in the order in which they were added. */

import { asksForKey, type Key } from '../key.js';
import type { Sentence } from '../caption-texts.js';
import type { RecordingJob } from './recording-job.js';

/** The files in work, and those that failed until they are removed. */
export class JobQueue {
	readonly #jobs = new Map<string, RecordingJob>();
	readonly #key: Key;
	readonly #showProblem: (sentence: Sentence | null) => void;
	#isWorking = false;

	/**
	 * @param key - The key for the server.
	 * @param showProblem - Reports that a key is needed.
	 */
	constructor(key: Key, showProblem: (sentence: Sentence | null) => void) {
		this.#key = key;
		this.#showProblem = showProblem;
	}

	/** All of them, in order. */
	get jobs(): readonly RecordingJob[] {
		return [...this.#jobs.values()];
	}

	/** Returns a file in work. */
	find(id: string): RecordingJob | null {
		return this.#jobs.get(id) ?? null;
	}

	/** Adds a file, or a job of a page before; several are transcribed in their order. */
	add(job: RecordingJob): void {
		this.#jobs.set(job.id, job);
		void this.work();
	}

	/** Transcribes a file that failed again, after the others; `file`, if the user has chosen it again. */
	retry(job: RecordingJob, file: Blob | null = null): void {
		this.#jobs.delete(job.id);
		job.retry(file);
		this.add(job);
	}

	/** Takes a file out of the list. */
	remove(id: string): void {
		this.#jobs.delete(id);
	}

	/** Continues with the next one that waits, unless one is in work. */
	async work(): Promise<void> {
		if (this.#isWorking) {
			return;
		}
		this.#isWorking = true;
		for (const job of this.#jobs.values()) {
			// Files added meanwhile are appended.
			if (job.state.phase !== 'waiting') {
				continue;
			}
			const code = await job.work(this.#key.value);
			if (code !== null && asksForKey(code)) {
				this.#showProblem(
					this.#key.ask(code, () => {
						this.#showProblem(null);
						void this.work();
					}),
				);
				break;
			}
		}
		this.#isWorking = false;
	}
}
