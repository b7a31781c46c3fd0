/** Vocabularies of a key: names and words that its sessions and recordings expect. */

import type { RequestOptions } from './client.js';
import type { Connection } from './connection.js';

/** A name or a word, as it is to be written. */
export interface VocabularyTerm {
	readonly term: string;
	/** Spellings of how it sounds or is misheard. */
	readonly soundsLike: readonly string[];
}

/** Words that are always written in another way; an empty `to` removes them. */
export interface VocabularyReplacement {
	readonly from: string;
	readonly to: string;
}

/** A term in live finals since the server's start. */
export interface RecentTerm {
	readonly term: string;
	readonly count: number;
	/** Unix time of the last one, in seconds. */
	readonly lastAt: number;
}

/** A vocabulary without its terms. */
export interface VocabularySummary {
	readonly name: string;
	/** Whether it applies to requests that name none. */
	readonly isDefault: boolean;
	/** Unix time in seconds. */
	readonly changedAt: number;
	readonly termCount: number;
	readonly replacementCount: number;
}

/** What a vocabulary contains, without what is left out. */
export interface VocabularyContent {
	readonly terms?: readonly (string | VocabularyTerm)[];
	readonly replacements?: readonly VocabularyReplacement[];
	readonly isDefault?: boolean;
	/** Whether results begin as recognised, in a capital letter; default: yes. */
	readonly capitalize?: boolean;
	/** Whether results end as recognised, with a full stop; default: yes. */
	readonly finalPeriod?: boolean;
}

/** A vocabulary. */
export interface Vocabulary extends VocabularySummary, Required<VocabularyContent> {
	readonly terms: readonly VocabularyTerm[];
	/** The latest first. */
	readonly recentTerms: readonly RecentTerm[];
}

/** A change of a vocabulary. */
export interface VocabularyChange extends Omit<VocabularyContent, 'terms' | 'replacements'> {
	/** Terms; those that are spelled the same are replaced. */
	readonly add?: readonly (string | VocabularyTerm)[];
	readonly remove?: readonly string[];
	/** Replacements; those of the same words are replaced. */
	readonly addReplacements?: readonly VocabularyReplacement[];
	/** Words whose replacements are removed. */
	readonly removeReplacements?: readonly string[];
}

interface SummaryDocument {
	name: string;
	default: boolean;
	changed_at: number;
	term_count: number;
	replacement_count: number;
}

interface VocabularyDocument extends SummaryDocument {
	terms: { term: string; sounds_like: string[] }[];
	replacements: VocabularyReplacement[];
	capitalize: boolean;
	final_period: boolean;
	recent_terms: { term: string; count: number; last_at: number }[];
}

const PATH = ['v1', 'vocabularies'];

/** Vocabularies of the key: `client.vocabularies`. A token is refused. */
export class Vocabularies {
	readonly #connection: Connection;

	constructor(connection: Connection) {
		this.#connection = connection;
	}

	/** Returns the vocabularies by name, without their terms. */
	list(options: RequestOptions = {}): Promise<readonly VocabularySummary[]> {
		return this.#connection.send({ path: PATH, ...options }, decodeList);
	}

	/** Returns a vocabulary. */
	get(name: string, options: RequestOptions = {}): Promise<Vocabulary> {
		return this.#connection.send({ path: [...PATH, name], ...options }, decodeVocabulary);
	}

	/** Creates or replaces a vocabulary; returns it. */
	store(name: string, content: VocabularyContent, options: RequestOptions = {}): Promise<Vocabulary> {
		const { terms = [], replacements = [], ...rest } = content;
		const json = { terms: terms.map(encodeTerm), replacements, ...encodeMarks(rest) };
		return this.#connection.send(
			{ method: 'PUT', path: [...PATH, name], json, ...options },
			decodeVocabulary,
		);
	}

	/** Changes a vocabulary, and creates one that does not exist; returns it. */
	change(name: string, change: VocabularyChange, options: RequestOptions = {}): Promise<Vocabulary> {
		const { add = [], remove = [], addReplacements = [], removeReplacements = [], ...rest } = change;
		const json = {
			add: add.map(encodeTerm),
			remove,
			add_replacements: addReplacements,
			remove_replacements: removeReplacements,
			...encodeMarks(rest),
		};
		return this.#connection.send(
			{ method: 'PATCH', path: [...PATH, name], json, ...options },
			decodeVocabulary,
		);
	}

	/** Returns a vocabulary as CSV: `term,sounds_like,replaces`. */
	csv(name: string, options: RequestOptions = {}): Promise<string> {
		return this.#connection.text({ path: [...PATH, name], query: { format: 'csv' }, ...options });
	}

	/** Deletes a vocabulary; this can't be undone. */
	async delete(name: string, options: RequestOptions = {}): Promise<void> {
		await this.#connection.text({
			method: 'DELETE',
			path: [...PATH, name],
			isRepeatable: false,
			...options,
		});
	}
}

function encodeTerm(term: string | VocabularyTerm): unknown {
	return typeof term === 'string' ? term : { term: term.term, sounds_like: term.soundsLike };
}

function encodeMarks({ isDefault, capitalize, finalPeriod }: VocabularyContent): object {
	return { default: isDefault, capitalize, final_period: finalPeriod }; // JSON leaves `undefined` out
}

function decodeList({ vocabularies }: { vocabularies: SummaryDocument[] }): VocabularySummary[] {
	return vocabularies.map(decodeSummary);
}

function decodeSummary(document: SummaryDocument): VocabularySummary {
	return {
		name: document.name,
		isDefault: document.default,
		changedAt: document.changed_at,
		termCount: document.term_count,
		replacementCount: document.replacement_count,
	};
}

function decodeVocabulary(document: VocabularyDocument): Vocabulary {
	return {
		...decodeSummary(document),
		terms: document.terms.map(({ term, sounds_like }) => ({ term, soundsLike: sounds_like })),
		replacements: document.replacements,
		capitalize: document.capitalize,
		finalPeriod: document.final_period,
		recentTerms: document.recent_terms.map(({ term, count, last_at }) => ({ term, count, lastAt: last_at })),
	};
}
