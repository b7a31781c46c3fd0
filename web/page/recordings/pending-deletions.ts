/** Deletions that can still be undone, for all tabs of this browser: they outlive the page that waits for their time. */

import { store, stored } from '../storage.js';

const NAME = 'auricle.deletions';
/** Older ones are carried out earlier. */
export const MAX_PENDING = 100;

/** A deletion that waits. */
export interface Deletion {
	readonly id: string;
	/** Transcripts of this browser. */
	readonly ids: readonly string[];
	/** Transcripts of the server. */
	readonly onServer: readonly string[];
	/** Name of the transcript; empty if there are several. */
	readonly name: string;
	/** When it is carried out, in milliseconds since 1970. */
	readonly at: number;
}

/** Returns the deletions that wait, the oldest first. */
export function pendingDeletions(): readonly Deletion[] {
	try {
		const found: unknown = JSON.parse(stored('localStorage', NAME) ?? '[]');
		return Array.isArray(found) ? found.filter(isDeletion) : [];
	} catch {
		return []; // damaged: nothing is deleted
	}
}

/** Adds a deletion, or replaces the one with its ID. */
export function putDeletion(deletion: Deletion): void {
	write([...pendingDeletions().filter(({ id }) => id !== deletion.id), deletion]);
}

/** Removes a deletion: it is done, or undone. */
export function dropDeletion(id: string): void {
	write(pendingDeletions().filter(each => each.id !== id));
}

/** Returns the transcripts of this browser that wait for their deletion: no place shows them. */
export function deletedIds(): ReadonlySet<string> {
	return new Set(pendingDeletions().flatMap(({ ids }) => ids));
}

/** Returns the transcripts of the server that wait for their deletion. */
export function deletedOnServer(): ReadonlySet<string> {
	return new Set(pendingDeletions().flatMap(({ onServer }) => onServer));
}

function write(deletions: readonly Deletion[]): void {
	store('localStorage', NAME, deletions.length === 0 ? null : JSON.stringify(deletions));
}

function isDeletion(value: unknown): value is Deletion {
	const { id, ids, onServer, name, at } = (value ?? {}) as Readonly<Record<string, unknown>>;
	const areTexts = (list: unknown): boolean =>
		Array.isArray(list) && list.every(each => typeof each === 'string');
	return (
		typeof id === 'string' &&
		areTexts(ids) &&
		areTexts(onServer) &&
		typeof name === 'string' &&
		typeof at === 'number'
	);
}
