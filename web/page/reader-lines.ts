/** The newest lines of a live session, as a reader shows them. Pure. */

import type { Final, FinalSpeakers, Partial, ServerEvent } from '../src/events.js';

/** What one speaker says in one utterance. */
export interface ReaderLine {
	/** `id` of its final. */
	readonly final: number;
	readonly text: string;
	readonly language: string | null;
	/** From 0; `null` if unknown. */
	readonly speaker: number | null;
	/** The speaker's name, if the server knows it. */
	readonly name: string | null;
}

/** Partials that are shown at once, at most: one for each channel. */
const MAX_OPEN = 8;

/** Keeps the newest finals and the open utterances. */
export class ReaderLines {
	#finals: ReaderLine[] = [];
	#lastFinal = 0;
	readonly #open = new Map<number, Partial>();
	readonly #max: number;

	/** @param max - How many lines of finals are shown, at most. */
	constructor(max: number) {
		this.#max = max;
	}

	/** The newest lines of finals, oldest first. */
	get finals(): readonly ReaderLine[] {
		return this.#finals;
	}

	/** The open utterances, in their order. */
	get open(): readonly Partial[] {
		return [...this.#open.values()];
	}

	/** Takes an event; finals that were received before, and events of other types, change nothing. */
	receive(event: ServerEvent): void {
		if (event.type === 'partial') {
			this.#open.set(event.utterance, event);
			const [oldest] = this.#open.keys();
			if (this.#open.size > MAX_OPEN && oldest !== undefined) {
				this.#open.delete(oldest);
			}
		} else if (event.type === 'final') {
			this.#open.delete(event.utterance);
			if (event.id > this.#lastFinal) {
				this.#lastFinal = event.id;
				this.#finals = [...this.#finals, ...linesOf(event)].slice(-this.#max);
			}
		} else if (event.type === 'speaker_revision') {
			event.finals.forEach(final => this.#revise(final));
		}
	}

	/** Removes the open utterances: their finals will not come, or are late. */
	dropOpen(): void {
		this.#open.clear();
	}

	#revise(final: FinalSpeakers): void {
		const index = this.#finals.findIndex(line => line.final === final.id);
		const first = this.#finals[index];
		if (first === undefined) {
			return;
		}
		const old = this.#finals.filter(line => line.final === final.id);
		const text = old.map(line => line.text).join(' ');
		this.#finals.splice(index, old.length, ...linesOf({ ...first, ...final, text }));
		this.#finals = this.#finals.slice(-this.#max);
	}
}

function linesOf(
	final: Omit<FinalSpeakers, 'segments'> & Pick<Final, 'text' | 'language' | 'segments'>,
): ReaderLine[] {
	const { id, language, segments, speakers } = final;
	const parts = segments !== null && segments.length > 1 ? segments : [final];
	return parts.flatMap(({ text, speaker }) => {
		const spoken = text.trim();
		const name = speakers.find(({ number }) => number === speaker)?.name ?? null;
		return spoken === '' ? [] : [{ final: id, text: spoken, language, speaker, name }];
	});
}
