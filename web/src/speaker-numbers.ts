/** Numbers of speakers and finals over all sessions of a stream. Pure. */

import type { Final, KnownSpeaker, SpeakerRevision, SpeakerSegment } from './events.js';

/** Renumbers what one session reports: another session may not know the voices of the first. */
export class SpeakerNumbers {
	#speakers = 0; // of all sessions so far
	#before = 0; // of sessions whose voices this session does not know
	readonly #ids = new Map<number, number>(); // the numbers of the session's finals, over all sessions

	/** Another session begins: its speakers get new numbers, unless it knows the voices of the lost one. */
	startSession(knowsVoices: boolean): void {
		if (!knowsVoices) {
			this.#before = this.#speakers;
		}
		this.#ids.clear();
	}

	/** Returns a final with its number over all sessions, which is `id`. */
	final(final: Final, id: number): Final {
		this.#ids.set(final.id, id);
		return {
			...final,
			id,
			words: final.words?.map(word => ({ ...word, speaker: this.#number(word.speaker) })) ?? null,
			speaker: this.#number(final.speaker),
			segments: final.segments === null ? null : this.#segments(final.segments),
			speakers: this.#known(final.speakers),
		};
	}

	/** Returns a revision without finals that did not arrive; nothing if none is left. */
	revision({ type, finals }: SpeakerRevision): SpeakerRevision[] {
		const known = finals.flatMap(({ id, speaker, segments, speakers }) => {
			const number = this.#ids.get(id);
			return number === undefined
				? []
				: [
						{
							id: number,
							speaker: this.#number(speaker),
							segments: this.#segments(segments),
							speakers: this.#known(speakers),
						},
					];
		});
		return known.length === 0 ? [] : [{ type, finals: known }];
	}

	#segments(segments: readonly SpeakerSegment[]): SpeakerSegment[] {
		return segments.map(segment => ({ ...segment, speaker: this.#number(segment.speaker) }));
	}

	#known(speakers: readonly KnownSpeaker[]): KnownSpeaker[] {
		return speakers.map(({ number, name }) => ({ number: this.#before + number, name }));
	}

	#number(speaker: number | null): number | null {
		if (speaker === null) {
			return null;
		}
		this.#speakers = Math.max(this.#speakers, this.#before + speaker + 1);
		return this.#before + speaker;
	}
}
