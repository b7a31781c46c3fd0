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

test('events come in order, those before the reader and those after', async () => {
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

test('a slow reader sees the newest guess only, and every final', async () => {
	const queue = new EventQueue<Event>();
	for (const event of [partial('1'), partial('12'), final('a'), partial('3'), partial('34'), final('b')]) {
		queue.push(event);
	}
	queue.end(null);
	expect(await rest(queue)).toEqual(['12', 'a', '34', 'b']);
});

test('a failure comes after what was there before it, and again each time', async () => {
	const queue = new EventQueue<Event>();
	queue.push(final('a'));
	queue.end(new AuricleError('unreachable', 'Gone.'));
	queue.end(null);
	expect(await queue.next()).toEqual({ done: false, value: final('a') });
	await expect(queue.next()).rejects.toMatchObject({ code: 'unreachable' });
	await expect(queue.next()).rejects.toMatchObject({ code: 'unreachable' });
});

test('a failure reaches one who waits', async () => {
	const queue = new EventQueue<Event>();
	const next = queue.next();
	queue.end(new AuricleError('unreachable', 'Gone.'));
	await expect(next).rejects.toMatchObject({ code: 'unreachable' });
});

test('who leaves the loop gets nothing more', async () => {
	const queue = new EventQueue<Event>();
	queue.push(final('a'));
	queue.push(final('b'));
	for await (const event of queue) {
		expect(event.text).toBe('a');
		break;
	}
	expect(await queue.next()).toEqual({ done: true, value: undefined });
});

test('who never reads is told so, and holds no memory for ever', async () => {
	const queue = new EventQueue<Event>();
	for (let index = 0; index <= MAX_UNREAD + 10; index++) {
		queue.push(final(String(index)));
	}
	await expect(rest(queue)).rejects.toMatchObject({ code: 'slow_reader' });
});
