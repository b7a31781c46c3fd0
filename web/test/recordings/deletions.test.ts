import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { Deletions, UNDO_MILLISECONDS } from '../../page/recordings/deletions.js';
import {
	deletedIds,
	deletedOnServer,
	dropDeletion,
	MAX_PENDING,
	pendingDeletions,
} from '../../page/recordings/pending-deletions.js';
import { store } from '../../page/storage.js';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => {
	vi.useRealTimers();
	pendingDeletions().forEach(({ id }) => dropDeletion(id));
});

/** A page with deletions, and what it has done. */
class FakePage {
	readonly done: string[] = [];
	undoable: readonly string[] = [];
	isOffline = false;
	readonly deletions = new Deletions(
		{
			here: ids => Promise.resolve(void this.done.push(...ids.map(id => `here ${id}`))),
			onServer: ids => {
				if (this.isOffline && ids.length > 0) {
					return Promise.reject(new Error('offline'));
				}
				this.done.push(...ids.map(id => `server ${id}`));
				return Promise.resolve();
			},
			onServerAtEnd: ids => void this.done.push(...ids.map(id => `end ${id}`)),
		},
		{
			changed: undoable => (this.undoable = undoable.map(({ name }) => name)),
			failed: error => void this.done.push(String(error)),
		},
	);

	delete(id: string): void {
		this.deletions.add({ ids: [id], onServer: [id.toUpperCase()], name: id });
	}
}

it('deletes when the time to undo is over, on the server first', async () => {
	const page = new FakePage();
	page.delete('a');
	expect([deletedIds(), deletedOnServer()]).toEqual([new Set(['a']), new Set(['A'])]);
	await vi.advanceTimersByTimeAsync(UNDO_MILLISECONDS - 1);
	expect([page.done, page.undoable]).toEqual([[], ['a']]);
	await vi.advanceTimersByTimeAsync(1);
	expect([page.done, page.undoable]).toEqual([['server A', 'here a'], []]);
	expect(pendingDeletions()).toEqual([]);
});

it('takes one of several deletions back', async () => {
	const page = new FakePage();
	['a', 'b', 'c'].forEach(id => page.delete(id));
	page.deletions.undo(pendingDeletions()[1]?.id ?? '');
	expect(page.undoable).toEqual(['a', 'c']);
	expect(deletedIds()).toEqual(new Set(['a', 'c']));
	await vi.advanceTimersByTimeAsync(UNDO_MILLISECONDS);
	expect(page.done).toEqual(['server A', 'here a', 'server C', 'here c']);
});

it('lists a transcript again that the server did not delete', async () => {
	const page = new FakePage();
	page.isOffline = true;
	page.delete('a');
	await vi.advanceTimersByTimeAsync(UNDO_MILLISECONDS);
	expect(page.done).toEqual(['Error: offline']);
	expect(pendingDeletions()).toEqual([]);
});

it('asks the server when the page ends; the next page finishes it', async () => {
	const page = new FakePage();
	page.delete('a');
	page.deletions.close();
	expect([page.done, page.undoable]).toEqual([['end A', 'here a'], []]);
	await vi.advanceTimersByTimeAsync(UNDO_MILLISECONDS);
	expect(page.done).toHaveLength(2);
	const next = new FakePage();
	next.isOffline = true;
	await next.deletions.sweep();
	expect(next.done).toEqual(['here a']);
	expect([deletedIds(), deletedOnServer()]).toEqual([new Set(), new Set(['A'])]);
	next.isOffline = false;
	await next.deletions.sweep();
	expect(next.done).toEqual(['here a', 'server A']);
	expect(pendingDeletions()).toEqual([]);
});

it('leaves a deletion to the page that waits for it, and finishes that of a crashed one', async () => {
	const crashed = new FakePage();
	crashed.delete('a');
	vi.clearAllTimers();
	const other = new FakePage();
	await other.deletions.sweep();
	other.deletions.undo(pendingDeletions()[0]?.id ?? '');
	expect([other.done, deletedIds()]).toEqual([[], new Set(['a'])]);
	vi.setSystemTime(Date.now() + UNDO_MILLISECONDS + 5000);
	await other.deletions.sweep();
	expect(other.done).toEqual(['server A', 'here a']);
});

it('carries out the oldest of too many at once', async () => {
	const page = new FakePage();
	for (let number = 0; number <= MAX_PENDING; number++) {
		page.delete(`t${number}`);
	}
	await vi.advanceTimersByTimeAsync(0);
	expect(page.done).toEqual(['server T0', 'here t0']);
	expect(page.undoable).toHaveLength(MAX_PENDING);
});

it('deletes nothing for a damaged record', () => {
	for (const damaged of ['{', '7', '[null, {"id": "a", "ids": "a", "onServer": [], "name": "", "at": 1}]']) {
		store('localStorage', 'auricle.deletions', damaged);
		expect(pendingDeletions()).toEqual([]);
	}
});
