import { expect, it } from 'vitest';
import { History } from '../../page/recordings/history.js';

it('undoes changes, but never the first version', () => {
	const history = new History(1);
	history.undo();
	expect(history.value).toBe(1);
	history.push(2);
	history.push(3);
	history.undo();
	expect([history.value, history.canUndo]).toEqual([2, true]);
	history.undo();
	expect([history.value, history.canUndo]).toEqual([1, false]);
	Array.from({ length: 500 }, (_, index) => history.push(index));
	for (let times = 0; history.canUndo; times++) {
		expect(times).toBeLessThan(100);
		history.undo();
	}
});
