/**
 * Live captions in the browser from an Auricle server: the part for streams alone, `auricle-client/live`.
 *
 * @packageDocumentation
 */

export type { ClientRules } from './backoff.js';
export type { CatchingUp, Connected, Format, Gap } from './conversation.js';
export { type Audio, encodeToPackets, type MonoAudio } from './encode.js';
export { AuricleError, type ErrorCode } from './errors.js';
export type {
	Closed,
	EagerFinal,
	Failed,
	Final,
	FinalSpeakers,
	KnownSpeaker,
	Partial,
	SpeakerRevision,
	SpeakerSegment,
	SpeechEnded,
	SpeechStarted,
	TurnResumed,
	Warning,
	Word,
} from './events.js';
export { type EventOf, LiveClient, type LiveClientOptions, type LiveEvent } from './live-client.js';
export type { Cause, Disconnected, Load } from './client-session.js';
export {
	type MicrophoneOptions,
	openMicrophone,
	type PageState,
	type SoundState,
	type SourceEvent,
	type SourceLost,
	type SourceMuted,
} from './microphone.js';
export type { Change, StreamParameters } from './parameters.js';
export { createPacketFormatData, type FormatOptions } from './wire.js';
