/**
 * Transcribes a recording on the server: uploads it as a job and polls the job until it is done.
 *
 * A full server, a lost connection and a restarted server only cost time: the server continues its jobs, and the page
 * uploads the file again if the server has lost them. After a reload the page has only the job's ID, and polls that.
 */

import { ApiError, AuricleError, type Transcript } from '../../src/index.js';
import { newId } from '../claim.js';
import { clientOf } from '../server-client.js';
import type { TranscriptLine } from '../transcript.js';
import { linesOfJob } from './result-lines.js';
import { uploading } from './upload.js';

const ASK_EVERY_MILLISECONDS = 700;
const FIRST_DELAY_MILLISECONDS = 1000;
const MAX_DELAY_MILLISECONDS = 15_000;
/** Time after which a server that makes no progress is given up. */
const PATIENCE_MILLISECONDS = 900_000;

/** Progress of a job. */
export interface FileProgress {
	readonly phase: 'uploading' | 'queued' | 'running';
	/** Of this phase, 0 to 1. */
	readonly share: number;
	/** Estimated time until a queued job starts; `null`: unknown. */
	readonly startsInSeconds: number | null;
	/** Text so far. */
	readonly text: string;
	/** Code of the current error; the page retries. */
	readonly problem: string | null;
}

/** Result of a job. The server keeps it until {@link deleteJob}. */
export interface FileTranscript {
	readonly id: string;
	readonly model: string;
	readonly lines: readonly TranscriptLine[];
	/** ID of the transcript that the server keeps; `null` if it keeps none. */
	readonly transcriptId: string | null;
}

/** A file with its options and callbacks. */
export interface FileJob {
	/** `null` if this browser does not have it any more. */
	readonly file: Blob | null;
	/** ID of the job on the server; `null` to upload the file. */
	readonly id: string | null;
	readonly model: string;
	readonly language: string | null;
	/** Whether to say who speaks. */
	readonly speakers: boolean;
	/** Number of speakers; `null`: unknown. */
	readonly numSpeakers: number | null;
	/** Whether to translate into English. */
	readonly translates: boolean;
	/** Words to expect, separated by commas; empty: none. */
	readonly hotwords: string;
	/** Name of a vocabulary; empty: the key's default one, if it has one. */
	readonly vocabulary: string;
	readonly key: string | undefined;
	readonly signal: AbortSignal;
	readonly onProgress: (progress: FileProgress) => void;
	/** The server has accepted the file as a job with this ID. */
	readonly onAccepted: (id: string) => void;
}

const UPLOADING: FileProgress = {
	phase: 'uploading',
	share: 0,
	startsInSeconds: null,
	text: '',
	problem: null,
};

/** The server could not transcribe the file: the job has ended, and another attempt needs another job. */
export class JobFailed extends AuricleError {}

interface Outcome {
	readonly transcript: Transcript;
	readonly transcriptId: string | null;
}

/**
 * Transcribes a recording.
 *
 * @throws AuricleError with the server's code; `aborted` if the signal was aborted.
 */
export async function transcribeFile(job: FileJob): Promise<FileTranscript> {
	const patience = new Patience(job.signal);
	for (let { id } = job; ; id = null) {
		const current = id ?? newId();
		try {
			if (id === null) {
				await upload(job, current, patience);
			}
			const result = await outcome(job, current, patience);
			if (result !== null) {
				const { transcript, transcriptId } = result;
				return { id: current, model: transcript.model, lines: linesOfJob(transcript), transcriptId };
			}
		} catch (error) {
			if (job.signal.aborted) {
				void deleteJob(current, job.key);
			}
			throw error;
		}
	}
}

/** Cancels a job, or deletes its result. */
export async function deleteJob(id: string, key: string | undefined): Promise<void> {
	await clientOf(key)
		.jobs.delete(id)
		.catch(() => undefined); // it expires on the server
}

/** Uploads the file as a job with this ID; after a lost response, the same job is sent again. */
async function upload(job: FileJob, jobId: string, patience: Patience): Promise<void> {
	const { file, model, language, speakers, numSpeakers, translates, hotwords, vocabulary, key, signal } = job;
	if (file === null) {
		throw new AuricleError(
			'not_found',
			'The server no longer has the job, and this page no longer has the file.',
		);
	}
	const client = clientOf(
		key,
		uploading(share => job.onProgress({ ...UPLOADING, share })),
	);
	for (;;) {
		await checkReadable(file);
		try {
			await client.jobs.create(file, {
				jobId,
				wordTimestamps: true,
				...(model === '' ? {} : { model }),
				...(language === null ? {} : { language }),
				...(speakers ? { speakers, ...(numSpeakers === null ? {} : { numSpeakers }) } : {}),
				...(translates ? { task: 'translate' } : {}),
				...(hotwords === '' ? {} : { hotwords: [hotwords] }),
				...(vocabulary === '' ? {} : { vocabulary }),
				signal,
			});
		} catch (error) {
			job.onProgress({ ...UPLOADING, problem: patience.problem(error) });
			await patience.wait();
			continue;
		}
		patience.worked();
		job.onAccepted(jobId);
		return;
	}
}

/** Returns a job's result; `null` if the server no longer has the job. */
async function outcome(job: FileJob, id: string, patience: Patience): Promise<Outcome | null> {
	const client = clientOf(job.key);
	let seen: FileProgress = { ...UPLOADING, phase: 'queued' };
	for (;;) {
		job.onProgress(seen);
		await pause(ASK_EVERY_MILLISECONDS, job.signal);
		try {
			const { state, progress, text, transcript, error, startsInSeconds, transcriptId } =
				await client.jobs.get(id, { signal: job.signal });
			patience.worked();
			if (transcript !== null) {
				return { transcript, transcriptId };
			}
			if (error !== null) {
				throw new JobFailed(error.code, error.message);
			}
			const phase = state === 'queued' ? 'queued' : 'running';
			seen = { phase, share: progress, startsInSeconds, text, problem: null };
		} catch (error) {
			if (error instanceof ApiError && error.code === 'not_found') {
				return null;
			}
			seen = { ...seen, problem: patience.problem(error) };
			job.onProgress(seen);
			await patience.wait();
		}
	}
}

/**
 * Checks that a file is readable: a failed upload of an unreadable file looks like an unreachable server.
 *
 * @throws AuricleError `unreadable`.
 */
async function checkReadable(file: Blob): Promise<void> {
	try {
		const reader = file.stream().getReader(); // a slice of a removed file is just empty
		await reader.read();
		await reader.cancel();
	} catch (error) {
		throw new AuricleError('unreadable', String(error));
	}
}

/** Delays between retries, increasing, until the patience is exhausted. */
class Patience {
	readonly #signal: AbortSignal;
	#since = performance.now();
	#delayMilliseconds = FIRST_DELAY_MILLISECONDS;
	#askedMilliseconds = 0;

	constructor(signal: AbortSignal) {
		this.#signal = signal;
	}

	/** Records that the server made progress. */
	worked(): void {
		this.#since = performance.now();
		this.#delayMilliseconds = FIRST_DELAY_MILLISECONDS;
	}

	/**
	 * Returns the code of an error for the page if a retry may help.
	 *
	 * @throws AuricleError with that code if a retry cannot help.
	 */
	problem(error: unknown): string {
		if (this.#signal.aborted) {
			throw aborted();
		}
		if (!(error instanceof ApiError)) {
			throw error;
		}
		const code = error.code === 'unreachable' ? 'offline' : error.code;
		if (!error.retryable || performance.now() - this.#since > PATIENCE_MILLISECONDS) {
			throw new AuricleError(code, error.message);
		}
		this.#askedMilliseconds = error.retryAfterSeconds * 1000;
		return code;
	}

	/** Waits before the next attempt. */
	async wait(): Promise<void> {
		await pause(this.#askedMilliseconds + this.#delayMilliseconds * (0.5 + Math.random() / 2), this.#signal);
		this.#delayMilliseconds = Math.min(2 * this.#delayMilliseconds, MAX_DELAY_MILLISECONDS);
	}
}

function pause(milliseconds: number, signal: AbortSignal): Promise<void> {
	return new Promise((resolve, reject) => {
		const stop = (): void => {
			clearTimeout(timer);
			reject(aborted());
		};
		const timer = setTimeout(() => {
			signal.removeEventListener('abort', stop);
			resolve();
		}, milliseconds);
		if (signal.aborted) {
			stop();
		}
		signal.addEventListener('abort', stop, { once: true });
	});
}

function aborted(): AuricleError {
	return new AuricleError('aborted', 'The request was cancelled.');
}
