/**
 * Clients of an Auricle server: live captions in the browser; recordings, jobs and kept transcripts anywhere.
 *
 * @packageDocumentation
 */

export * from './live.js';
export type { AudioInput, JobOptions, TranscribeOptions } from './api/options.js';
export {
	Client,
	type ClientOptions,
	type ListOptions,
	type ProgressOptions,
	type RequestOptions,
	type RememberedSpeaker,
	type TranscriptFilter,
	type Voices,
	type WaitOptions,
} from './api/client.js';
export { ApiError } from './api/api-error.js';
export type { Fetch } from './api/connection.js';
export type {
	ExportFormat,
	Job,
	JobState,
	JobSummary,
	KeptSegment,
	KeptTranscript,
	KeptWord,
	KnownVoice,
	LiveSession,
	Match,
	MissingPart,
	NamedSpeaker,
	ParagraphChange,
	Token,
	Transcript,
	TranscriptSegment,
	TranscriptSummary,
	TranscriptWord,
} from './api/results.js';
export type {
	RecentTerm,
	Vocabulary,
	VocabularyChange,
	VocabularyContent,
	VocabularyReplacement,
	VocabularySummary,
	VocabularyTerm,
	Vocabularies,
} from './api/vocabularies.js';
