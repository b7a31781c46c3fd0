/** The speakers of a transcript's lines: their numbers over several streams, their names, and who is the same. Pure. */

import type { KnownSpeaker } from '../src/index.js';
import { isGap, type Line, type TranscriptLine } from './transcript.js';

/** A line's fields about its speaker. */
export type SpeakerFields = Pick<Line, 'speaker' | 'speakerName'>;

/** Names of speakers; the numbers of a stream follow those of the streams before it. */
export class SpeakerNames {
	readonly #names = new Map<number, string>();
	/** Speakers that were joined with another one. */
	readonly #same = new Map<number, number>();
	/** Names of speakers whose voices the server knows; those that a user gave go before. */
	readonly #known = new Map<number, string>();
	#before = 0; // speakers of the streams before the current one

	/** Takes the names of these lines in the place of the current ones. */
	open(lines: readonly TranscriptLine[]): void {
		this.#names.clear();
		this.#same.clear();
		this.#known.clear();
		for (const line of lines) {
			if (!isGap(line) && line.speaker !== undefined && line.speakerName !== undefined) {
				this.#names.set(line.speaker, line.speakerName);
			}
		}
	}

	/** Another stream begins after these lines: it does not know their voices. */
	begin(lines: readonly TranscriptLine[]): void {
		this.#before = 1 + Math.max(-1, ...speakersOf(lines));
		const known = [...this.#same.keys(), ...this.#same.values()];
		this.#before = Math.max(this.#before, 1 + Math.max(-1, ...known));
	}

	/**
	 * Takes the names that the server knows now of some speakers of the current stream.
	 *
	 * @param numbers - The speakers; one without a name has none any more.
	 * @param known - The names.
	 */
	know(numbers: readonly (number | null)[], known: readonly KnownSpeaker[]): void {
		numbers.forEach(number => number === null || this.#known.delete(this.#before + number));
		known.forEach(({ number, name }) => this.#known.set(this.#before + number, name));
	}

	/** Returns the fields for a speaker of the current stream; none for an unknown one. */
	fields(speaker: number | null): SpeakerFields {
		return speaker === null ? {} : this.#fieldsOf(this.#before + speaker);
	}

	/**
	 * Names a speaker, and returns the lines with the new name. The name of another speaker joins the two; an empty name
	 * restores the usual one.
	 *
	 * @param lines - The lines so far.
	 * @param speaker - Number of the speaker in these lines.
	 * @param name - The new name.
	 * @param usual - Returns the usual name of a number.
	 */
	rename(
		lines: readonly TranscriptLine[],
		speaker: number,
		name: string,
		usual: (number: number) => string,
	): TranscriptLine[] {
		const current = (each: number): string => this.#names.get(each) ?? this.#known.get(each) ?? usual(each);
		const other = speakersOf(lines).find(each => each !== speaker && current(each) === name);
		if (other !== undefined) {
			this.#same.set(speaker, other);
		} else if (name === '' || name === usual(speaker)) {
			this.#names.delete(speaker);
		} else {
			this.#names.set(speaker, name);
		}
		return lines.map(line => {
			if (isGap(line) || line.speaker !== speaker) {
				return line;
			}
			return withFields(line, this.#fieldsOf(speaker));
		});
	}

	#fieldsOf(speaker: number): SpeakerFields {
		let number = speaker;
		for (let other = this.#same.get(number); other !== undefined; other = this.#same.get(number)) {
			number = other;
		}
		const name = this.#names.get(number) ?? this.#known.get(number);
		return name === undefined ? { speaker: number } : { speaker: number, speakerName: name };
	}
}

/** Returns a line with these fields in the place of those about its speaker. */
export function withFields(line: Line, fields: SpeakerFields): Line {
	const { startSeconds, endSeconds, text, language, words, startsParagraph } = line;
	return {
		...{ startSeconds, endSeconds, text, language },
		...(words === undefined ? {} : { words }),
		...(startsParagraph === undefined ? {} : { startsParagraph }),
		...fields,
	};
}

function speakersOf(lines: readonly TranscriptLine[]): number[] {
	return [...new Set(lines.flatMap(line => (isGap(line) ? [] : (line.speaker ?? []))))];
}
