import { expect, it } from 'vitest';
import { LiveReturn } from '../page/live-return.js';

it('names the captions of a page that ended in mid-session, once', () => {
	const before = new LiveReturn();
	before.note(false, 'a'); // as each page starts
	before.note(true, 'a');
	const page = new LiveReturn();
	page.note(false, 'b');
	expect(new LiveReturn().take()).toBe('a'); // a second reload
	expect(page.take()).toBe('a');
	expect(page.take()).toBeNull();
});

it('forgets captions whose session has ended', () => {
	const page = new LiveReturn();
	page.note(true, 'a');
	page.note(false, 'a');
	expect(new LiveReturn().take()).toBeNull();
});

it('returns to no other captions once a session has begun', () => {
	new LiveReturn().note(true, 'a');
	const page = new LiveReturn();
	page.note(true, 'b');
	expect(page.take()).toBeNull();
	expect(new LiveReturn().take()).toBe('b');
});
