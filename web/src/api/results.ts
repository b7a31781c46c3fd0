/** The server's documents as typed values. Pure. Fields that a later server adds are ignored. */

import { notAuricle, type Problem, problemError } from './api-error.js';
import type { AuricleError } from '../errors.js';

/** State of a job. */
export type JobState = 'queued' | 'running' | 'done' | 'failed' | 'cancelled';

/** Format of an exported transcript. */
export type ExportFormat = 'txt' | 'srt' | 'vtt' | 'md' | 'json' | 'rttm';

/** A word of a transcript. */
export interface TranscriptWord {
	readonly startSeconds: number;
	readonly endSeconds: number;
	/** With the preceding space, if there is one. */
	readonly text: string;
	readonly probability: number;
	/** From 0; `null` if unknown or not requested. */
	readonly speaker: number | null;
}

/** A sentence, or a part of one between pauses. */
export interface TranscriptSegment {
	readonly startSeconds: number;
	readonly endSeconds: number;
	readonly text: string;
	readonly language: string | null;
	/** If `wordTimestamps` was set. */
	readonly words: readonly TranscriptWord[] | null;
	/** From 0; `null` if unknown or not requested. */
	readonly speaker: number | null;
	/** From 0; `null` unless `multichannel` was set. */
	readonly channel: number | null;
	/** The text before a vocabulary corrected it; `null` if it did not. */
	readonly original: string | null;
}

/** A speaker: the number, from 0, and the name, if it is known. */
export interface NamedSpeaker {
	readonly number: number;
	readonly name: string | null;
}

/** A voice that the server knows for a key. */
export interface KnownVoice {
	readonly id: string;
	/** Name of the person. */
	readonly name: string;
	/** How much speech it is the mean of. */
	readonly speechSeconds: number;
	/** When it was stored, in seconds since 1970. */
	readonly createdAt: number;
	/** Whether it has an effect: it is of the server's speaker model. */
	readonly isUsed: boolean;
}

/** A part of a recording that could not be transcribed, and why. */
export interface MissingPart {
	readonly startSeconds: number;
	readonly endSeconds: number;
	readonly code: string;
	readonly reason: string;
}

/** The transcript of a recording. */
export interface Transcript {
	/** Empty if there is no speech. */
	readonly text: string;
	readonly segments: readonly TranscriptSegment[];
	/** The language with the most speech. */
	readonly language: string | null;
	/** 1 if the language was requested. */
	readonly languageProbability: number;
	readonly durationSeconds: number;
	readonly model: string;
	/** If they were requested. */
	readonly speakers: readonly NamedSpeaker[];
	/** Usually none. */
	readonly gaps: readonly MissingPart[];
	/** Sentences on options without an effect and on doubtful text. */
	readonly warnings: readonly string[];
}

/** A background job of the server. */
export interface Job {
	readonly id: string;
	readonly state: JobState;
	/** From 0 to 1. */
	readonly progress: number;
	/** The text so far. */
	readonly text: string;
	/** Once the state is `done`. */
	readonly transcript: Transcript | null;
	/** Once the state is `failed`. */
	readonly error: AuricleError | null;
	/** Estimated time until a queued job starts. */
	readonly startsInSeconds: number | null;
	/** ID of the transcript that the server keeps of a job that is done; `null` if it keeps none. */
	readonly transcriptId: string | null;
}

/** A job in a list, without its text; times are Unix seconds. */
export interface JobSummary {
	readonly id: string;
	readonly state: JobState;
	readonly progress: number;
	readonly acceptedAt: number;
	readonly finishedAt: number | null;
	readonly audioBytes: number;
	/** Name of the recording; empty if the client has sent none. */
	readonly fileName: string;
	/** Length of the recording, once the state is `done`. */
	readonly durationSeconds: number | null;
}

/** A kept transcript in a list; times are Unix seconds. */
export interface TranscriptSummary {
	readonly id: string;
	/** The API that the session used; `job` for background jobs. */
	readonly source: string;
	readonly language: string;
	readonly startedAt: number;
	readonly endedAt: number;
}

/** A word of a kept transcript, with the preceding space, if there is one. */
export interface KeptWord {
	readonly startSeconds: number;
	readonly endSeconds: number;
	readonly text: string;
}

/** A segment of a kept transcript. */
export interface KeptSegment {
	readonly id: number;
	readonly startSeconds: number;
	readonly endSeconds: number;
	readonly text: string;
	readonly speaker: number | null;
	/** `null` unless their times were requested, and in a search. */
	readonly words: readonly KeptWord[] | null;
	/** Whether a paragraph starts with it; `null`: as pauses and speakers say. */
	readonly startsParagraph: boolean | null;
}

/** A change of the words of a speaker that start in a range of time. */
export interface ParagraphChange {
	readonly startSeconds: number;
	/** A word that starts here is not changed. */
	readonly endSeconds: number;
	/** Who has said them so far; `null` if unknown. */
	readonly fromSpeaker: number | null;
	/** Who has said them. */
	readonly speaker: number | null;
	/** Whether a paragraph starts with the first of them; `null`: as pauses and speakers say. */
	readonly startsParagraph: boolean | null;
}

/** A kept transcript with its text. */
export interface KeptTranscript extends TranscriptSummary {
	readonly text: string;
	readonly segments: readonly KeptSegment[];
	readonly speakers: readonly NamedSpeaker[];
}

/** A segment that a search found, and its transcript. */
export interface Match {
	readonly transcript: TranscriptSummary;
	readonly segment: KeptSegment;
}

/** A live session of the key. */
export interface LiveSession {
	readonly id: string;
	readonly source: string;
	readonly startedAt: number;
	readonly readers: number;
}

/** A token that replaces a key for a while. */
export interface Token {
	readonly text: string;
	readonly expiresInSeconds: number;
}

interface WordDocument {
	start: number;
	end: number;
	word: string;
	probability: number;
	speaker?: number | null;
}

interface SegmentDocument {
	start: number;
	end: number;
	text: string;
	language: string | null;
	words: WordDocument[] | null;
	speaker?: number | null;
	channel?: number | null;
	original?: string;
}

interface SpeakerDocument {
	speaker: number;
	name: string | null;
}

interface GapDocument {
	start: number;
	end: number;
	code: string;
	reason: string;
}

interface TranscriptDocument {
	text: string;
	segments: SegmentDocument[];
	language: string | null;
	language_probability: number;
	duration_ms: number;
	model: string;
	speakers?: SpeakerDocument[];
	warnings?: string[];
	error: { gaps: GapDocument[] } | null;
}

interface JobDocument {
	job_id: string;
	state: JobState;
	progress: number;
	text?: string;
	result?: TranscriptDocument | null;
	error?: Problem | null;
	starts_in_s?: number | null;
	transcript_id?: string;
}

interface JobSummaryDocument {
	job_id: string;
	state: JobState;
	progress: number;
	accepted_at: number;
	finished_at: number | null;
	audio_bytes: number;
	file_name?: string;
	duration_ms?: number | null;
}

interface SummaryDocument {
	id: string;
	source: string;
	language: string;
	started_at: number;
	ended_at: number;
}

interface KeptSegmentDocument {
	id: number;
	start_ms: number;
	end_ms: number;
	text: string;
	speaker?: number;
	words?: { start_ms: number; end_ms: number; word: string }[];
	starts_paragraph?: boolean;
}

interface KeptDocument extends SummaryDocument {
	text: string;
	segments: KeptSegmentDocument[];
	speakers: SpeakerDocument[];
}

interface VoiceDocument {
	id: string;
	name: string;
	speech_s: number;
	created_at: number;
	is_used: boolean;
}

interface SessionDocument {
	id: string;
	source: string;
	started_at: number;
	readers: number;
}

/** Converts the JSON of a successful response. */
export type Decode<T> = (document: never) => T;

/**
 * Returns the value of a response.
 *
 * @throws {@link AuricleError} `bad_message`: the server is another program.
 */
export function decodeBody<T>(body: string, decode: Decode<T>): T {
	try {
		return decode(JSON.parse(body) as never);
	} catch {
		throw notAuricle(200);
	}
}

/** Converts a transcript. */
export function decodeTranscript(document: TranscriptDocument): Transcript {
	return {
		text: required(document.text),
		segments: document.segments.map(decodeSegment),
		language: document.language,
		languageProbability: document.language_probability,
		durationSeconds: document.duration_ms / 1000,
		model: document.model,
		speakers: (document.speakers ?? []).map(decodeSpeaker),
		gaps: (document.error?.gaps ?? []).map(({ start, end, code, reason }) => ({
			startSeconds: start,
			endSeconds: end,
			code,
			reason,
		})),
		warnings: document.warnings ?? [],
	};
}

/** Converts a job. */
export function decodeJob(document: JobDocument): Job {
	const { result, error } = document;
	return {
		id: required(document.job_id),
		state: required(document.state),
		progress: document.progress,
		text: document.text ?? '',
		transcript: result ? decodeTranscript(result) : null,
		error: error ? problemError(error) : null,
		startsInSeconds: document.starts_in_s ?? null,
		transcriptId: document.transcript_id ?? null,
	};
}

/** A page of a list, and where the next one starts. */
export interface Page<T> {
	readonly items: readonly T[];
	readonly next: number | null;
}

/** Converts a page of jobs. */
export function decodeJobs(document: { jobs: JobSummaryDocument[]; next: number | null }): Page<JobSummary> {
	const items = document.jobs.map(job => ({
		id: job.job_id,
		state: job.state,
		progress: job.progress,
		acceptedAt: job.accepted_at,
		finishedAt: job.finished_at,
		audioBytes: job.audio_bytes,
		fileName: job.file_name ?? '',
		durationSeconds: job.duration_ms == null ? null : job.duration_ms / 1000,
	}));
	return { items, next: document.next };
}

/** Converts a page of kept transcripts. */
export function decodeTranscripts(document: {
	transcripts: SummaryDocument[];
	next: number | null;
}): Page<TranscriptSummary> {
	return { items: document.transcripts.map(decodeSummary), next: document.next };
}

/** Converts a page of a search. */
export function decodeMatches(document: {
	matches: { transcript: SummaryDocument; segment: KeptSegmentDocument }[];
	next: number | null;
}): Page<Match> {
	const items = document.matches.map(({ transcript, segment }) => ({
		transcript: decodeSummary(transcript),
		segment: decodeKeptSegment(segment),
	}));
	return { items, next: document.next };
}

/** Converts a kept transcript. */
export function decodeKept(document: KeptDocument): KeptTranscript {
	return {
		...decodeSummary(document),
		text: required(document.text),
		segments: document.segments.map(decodeKeptSegment),
		speakers: document.speakers.map(decodeSpeaker),
	};
}

/** Converts the live sessions of a key. */
export function decodeSessions(document: { sessions: SessionDocument[] }): LiveSession[] {
	return document.sessions.map(({ id, source, started_at, readers }) => ({
		id,
		source,
		startedAt: started_at,
		readers,
	}));
}

/** Converts a voice. */
export function decodeVoice({ id, name, speech_s, created_at, is_used }: VoiceDocument): KnownVoice {
	return { id: required(id), name, speechSeconds: speech_s, createdAt: created_at, isUsed: is_used };
}

/** Converts the voices of a key. */
export function decodeVoices({ voices }: { voices: VoiceDocument[] }): KnownVoice[] {
	return voices.map(decodeVoice);
}

/** Converts a token. */
export function decodeToken(document: { token: string; expires_in_s: number }): Token {
	return { text: required(document.token), expiresInSeconds: document.expires_in_s };
}

function decodeSegment(segment: SegmentDocument): TranscriptSegment {
	return {
		startSeconds: segment.start,
		endSeconds: segment.end,
		text: segment.text,
		language: segment.language,
		words: segment.words?.map(decodeWord) ?? null,
		speaker: segment.speaker ?? null,
		channel: segment.channel ?? null,
		original: segment.original ?? null,
	};
}

function decodeWord(word: WordDocument): TranscriptWord {
	return {
		startSeconds: word.start,
		endSeconds: word.end,
		text: word.word,
		probability: word.probability,
		speaker: word.speaker ?? null,
	};
}

function decodeSpeaker({ speaker, name }: SpeakerDocument): NamedSpeaker {
	return { number: speaker, name };
}

function decodeSummary(document: SummaryDocument): TranscriptSummary {
	return {
		id: required(document.id),
		source: document.source,
		language: document.language,
		startedAt: document.started_at,
		endedAt: document.ended_at,
	};
}

function decodeKeptSegment(segment: KeptSegmentDocument): KeptSegment {
	return {
		id: segment.id,
		startSeconds: segment.start_ms / 1000,
		endSeconds: segment.end_ms / 1000,
		text: segment.text,
		speaker: segment.speaker ?? null,
		words:
			segment.words?.map(({ start_ms, end_ms, word }) => ({
				startSeconds: start_ms / 1000,
				endSeconds: end_ms / 1000,
				text: word,
			})) ?? null,
		startsParagraph: segment.starts_paragraph ?? null,
	};
}

/** Returns a text of a document, which another program's would lack. */
function required<T extends string>(value: T): T {
	if (typeof value !== 'string') {
		throw new TypeError('a field is missing');
	}
	return value;
}
