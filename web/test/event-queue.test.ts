import { expect, test } from 'vitest';
import { AuricleError } from '../src/errors.js';
import { EventQueue, MAX_UNREAD } from '../src/event-queue.js';

interface Event {
	readonly type: string;
	readonly text: string;
}

const partial = (text: string): Event => ({ type: 'partial', text });
const final = (text: string): Event => ({ type: 'final', text });

async function rest(queue: EventQueue<Event>): Promise<string[]> {
	const texts: string[] = [];
	for await (const { text } of queue) {
		texts.push(text);
	}
	return texts;
}

test('delivers events in order, before and after a reader starts', async () => {
	const queue = new EventQueue<Event>();
	queue.push(final('a'));
	const texts = rest(queue);
	await Promise.resolve();
	queue.push(final('b'));
	queue.push(final('c'));
	queue.end(null);
	queue.push(final('too late'));
	expect(await texts).toEqual(['a', 'b', 'c']);
});

test('keeps only the newest partial for a slow reader, and every final', async () => {
	const queue = new EventQueue<Event>();
	for (const event of [partial('1'), partial('12'), final('a'), partial('3'), partial('34'), final('b')]) {
		queue.push(event);
	}
	queue.end(null);
	expect(await rest(queue)).toEqual(['12', 'a', '34', 'b']);
});

test('delivers a failure after earlier events, and to each later call', async () => {
	const queue = new EventQueue<Event>();
	queue.push(final('a'));
	queue.end(new AuricleError('unreachable', 'Gone.'));
	queue.end(null);
	expect(await queue.next()).toEqual({ done: false, value: final('a') });
	await expect(queue.next()).rejects.toMatchObject({ code: 'unreachable' });
	await expect(queue.next()).rejects.toMatchObject({ code: 'unreachable' });
});

test('delivers a failure to a waiting reader', async () => {
	const queue = new EventQueue<Event>();
	const next = queue.next();
	queue.end(new AuricleError('unreachable', 'Gone.'));
	await expect(next).rejects.toMatchObject({ code: 'unreachable' });
});

test('delivers nothing after the reader leaves the loop', async () => {
	const queue = new EventQueue<Event>();
	queue.push(final('a'));
	queue.push(final('b'));
	for await (const event of queue) {
		expect(event.text).toBe('a');
		break;
	}
	expect(await queue.next()).toEqual({ done: true, value: undefined });
});

test('fails and frees memory if no events are read', async () => {
	const queue = new EventQueue<Event>();
	for (let index = 0; index <= MAX_UNREAD + 10; index++) {
		queue.push(final(String(index)));
	}
	await expect(rest(queue)).rejects.toMatchObject({ code: 'slow_reader' });
});
