/**
 * Transcribes a recording on the server: uploads it as a job and polls the job until it is done.
 *
 * A full server, a lost connection and a restarted server only cost time: the server continues its jobs, and the page
 * uploads the file again if the server has lost them. After a reload the page has only the job's ID, and polls that.
 */

import { AuricleError } from '../../src/index.js';
import type { TranscriptLine, Word } from '../transcript.js';

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
}

/** A file with its options and callbacks. */
export interface FileJob {
	/** `null` after a reload of the page. */
	readonly file: File | null;
	/** ID of the job on the server; `null` to upload the file. */
	readonly id: string | null;
	readonly model: string;
	readonly language: string | null;
	/** Whether to say who speaks. */
	readonly speakers: boolean;
	/** Words to expect, separated by commas; empty: none. */
	readonly hotwords: string;
	readonly key: string | undefined;
	readonly signal: AbortSignal;
	readonly onProgress: (progress: FileProgress) => void;
	/** The server has accepted the file as a job with this ID. */
	readonly onAccepted: (id: string) => void;
}

interface Answer {
	readonly status: number;
	readonly body: unknown;
}

const UPLOADING: FileProgress = {
	phase: 'uploading',
	share: 0,
	startsInSeconds: null,
	text: '',
	problem: null,
};

/** No response. */
const NO_ANSWER: Answer = { status: 0, body: null };

/**
 * Transcribes a recording.
 *
 * @throws AuricleError with the server's code; `aborted` if the signal was aborted.
 */
export async function transcribeFile(job: FileJob): Promise<FileTranscript> {
	const patience = new Patience(job.signal);
	for (let { id } = job; ; id = null) {
		id ??= await uploaded(job, patience);
		const result = await outcome(job, id, patience);
		if (result !== null) {
			return { id, model: result.model, lines: transcript(result) };
		}
	}
}

/** Cancels a job, or deletes its result. */
export async function deleteJob(id: string, key: string | undefined): Promise<void> {
	await ask(address(id), { key }, 'DELETE');
}

/** Uploads the file and returns the ID of its job. */
async function uploaded(job: FileJob, patience: Patience): Promise<string> {
	const { file } = job;
	if (file === null) {
		throw new AuricleError(
			'not_found',
			'The server no longer has the job, and this page no longer has the file.',
		);
	}
	for (;;) {
		await checkReadable(file);
		const answer = await post(file, job);
		if (answer.status === 202) {
			patience.worked();
			const { job_id: id } = answer.body as { job_id: string };
			job.onAccepted(id);
			return id;
		}
		job.onProgress({ ...UPLOADING, problem: patience.problem(answer) });
		await patience.wait();
	}
}

/** Returns a job's result; `null` if the server no longer has the job. */
async function outcome(job: FileJob, id: string, patience: Patience): Promise<ResultBody | null> {
	let seen: FileProgress = { ...UPLOADING, phase: 'queued' };
	try {
		for (;;) {
			job.onProgress(seen);
			await pause(ASK_EVERY_MILLISECONDS, job.signal);
			const answer = await ask(address(id), job, 'GET');
			if (answer.status === 404) {
				return null;
			}
			if (answer.status !== 200) {
				seen = { ...seen, problem: patience.problem(answer) };
				job.onProgress(seen);
				await patience.wait();
				continue;
			}
			patience.worked();
			const state = answer.body as JobBody;
			if (state.result !== null) {
				return state.result;
			}
			if (state.error !== null) {
				throw new AuricleError(state.error.code, state.error.message);
			}
			seen = {
				phase: state.state === 'queued' ? 'queued' : 'running',
				share: state.progress,
				startsInSeconds: state.starts_in_s,
				text: state.text,
				problem: null,
			};
		}
	} catch (error) {
		if (job.signal.aborted) {
			void deleteJob(id, job.key);
		}
		throw error;
	}
}

function address(id: string): string {
	return `jobs/${encodeURIComponent(id)}`;
}

interface JobBody {
	readonly state: string;
	readonly starts_in_s: number | null;
	readonly progress: number;
	readonly text: string;
	readonly result: ResultBody | null;
	readonly error: { readonly code: string; readonly message: string } | null;
}

interface ResultBody {
	readonly model: string;
	readonly language: string | null;
	readonly segments: readonly SegmentBody[];
	readonly error: { readonly gaps?: readonly GapBody[] } | null;
}

interface SegmentBody {
	readonly start: number;
	readonly end: number;
	readonly text: string;
	/** `null`: the model has no word times. */
	readonly words: readonly { readonly start: number; readonly end: number; readonly word: string }[] | null;
	/** Only if speakers were requested. */
	readonly speaker?: number | null;
}

interface GapBody {
	readonly start: number;
	readonly end: number;
	readonly code: string;
}

function transcript({ language, segments, error }: ResultBody): readonly TranscriptLine[] {
	const spoken = segments.map(segment => {
		const { start, end, speaker = null } = segment;
		const text = segment.text.trim();
		const words = wordsOf(segment);
		return {
			startSeconds: start,
			endSeconds: end,
			text,
			language,
			...(words.map(word => word.text).join('') === text ? { words } : {}),
			...(speaker === null ? {} : { speaker }),
		};
	});
	const gaps = (error?.gaps ?? []).map(({ start, end, code }) => ({
		startSeconds: start,
		endSeconds: end,
		gap: code,
	}));
	return [...spoken, ...gaps].sort((one, other) => one.startSeconds - other.startSeconds);
}

function wordsOf({ words }: SegmentBody): readonly Word[] {
	return (words ?? []).map(({ start, end, word }, index) => ({
		startSeconds: start,
		endSeconds: end,
		text: index === 0 ? word.trimStart() : word,
	}));
}

/**
 * Checks that a file is readable: a failed upload of an unreadable file looks like an unreachable server.
 *
 * @throws AuricleError `unreadable`.
 */
async function checkReadable(file: File): Promise<void> {
	try {
		const reader = file.stream().getReader(); // a slice of a removed file is just empty
		await reader.read();
		await reader.cancel();
	} catch (error) {
		throw new AuricleError('unreadable', String(error));
	}
}

/** Uploads with XMLHttpRequest; `fetch` does not report the progress of an upload. */
function post(file: File, job: FileJob): Promise<Answer> {
	const { model, language, speakers, hotwords, key, signal, onProgress } = job;
	return new Promise((resolve, reject) => {
		const request = new XMLHttpRequest();
		const query = new URLSearchParams({ wait: '0', word_timestamps: 'true' });
		if (model !== '') {
			query.set('model', model);
		}
		if (language !== null) {
			query.set('language', language);
		}
		if (speakers) {
			query.set('speakers', 'true');
		}
		if (hotwords !== '') {
			query.set('hotwords', hotwords);
		}
		request.open('POST', `utterance?${query}`);
		const isMedia = /^(audio|video)\//.test(file.type);
		request.setRequestHeader('Content-Type', isMedia ? file.type : 'application/octet-stream');
		if (key !== undefined) {
			request.setRequestHeader('Authorization', `Bearer ${key}`);
		}
		request.upload.onprogress = ({ loaded, total }) => {
			onProgress({ ...UPLOADING, share: total > 0 ? loaded / total : 0 });
		};
		request.onload = () => resolve({ status: request.status, body: parsed(request.responseText) });
		request.onerror = () => resolve(NO_ANSWER);
		request.onabort = () => reject(aborted());
		signal.addEventListener('abort', () => request.abort(), { once: true });
		if (signal.aborted) {
			reject(aborted());
		} else {
			request.send(file);
		}
	});
}

async function ask(path: string, { key, signal }: Partial<FileJob>, method: string): Promise<Answer> {
	const headers: Record<string, string> = key === undefined ? {} : { Authorization: `Bearer ${key}` };
	try {
		const answer = await fetch(path, { method, headers, signal: signal ?? null, cache: 'no-store' });
		return { status: answer.status, body: parsed(await answer.text()) };
	} catch {
		return NO_ANSWER;
	}
}

function parsed(text: string): unknown {
	try {
		return JSON.parse(text);
	} catch {
		return null;
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
	 * Returns the code of the error if a retry may help.
	 *
	 * @throws AuricleError with that code if a retry cannot help.
	 */
	problem({ status, body }: Answer): string {
		if (this.#signal.aborted) {
			throw aborted();
		}
		const { error } = (body ?? {}) as {
			error?: { code: string; retryable: boolean; retry_after_s: number | null };
		};
		const code = error?.code ?? (status === 0 ? 'offline' : 'internal');
		const mayHelp = error?.retryable ?? (status === 0 || status >= 500);
		if (!mayHelp || performance.now() - this.#since > PATIENCE_MILLISECONDS) {
			throw new AuricleError(code, `The server returned status ${status}.`);
		}
		this.#askedMilliseconds = (error?.retry_after_s ?? 0) * 1000;
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
