import { expect, test } from 'vitest';
import { SpeakerNames } from '../page/speaker-names.js';
import type { Line } from '../page/transcript.js';

const usual = (number: number): string => `Speaker ${number + 1}`;

function line(fields: Partial<Line>): Line {
	return { startSeconds: 0, endSeconds: 1, text: 'Yes.', language: 'en', ...fields };
}

test('numbers of a stream follow those of the streams before it', () => {
	const speakers = new SpeakerNames();
	speakers.begin([]);
	expect(speakers.fields(0)).toEqual({ speaker: 0 });
	expect(speakers.fields(null)).toEqual({});
	speakers.begin([line({ speaker: 2 }), line({}), { startSeconds: 1, endSeconds: 2, gap: 'stopped' }]);
	expect(speakers.fields(0)).toEqual({ speaker: 3 });
});

test('a name holds for earlier and later lines, and an empty one restores the usual', () => {
	const speakers = new SpeakerNames();
	const words = [{ startSeconds: 0, endSeconds: 1, text: 'Yes.' }];
	const lines = [line({ speaker: 0 }), line({ speaker: 1, words })];
	const named = speakers.rename(lines, 1, 'Ann', usual);
	expect(named).toEqual([line({ speaker: 0 }), line({ speaker: 1, words, speakerName: 'Ann' })]);
	expect(speakers.fields(1)).toEqual({ speaker: 1, speakerName: 'Ann' });
	expect(speakers.rename(named, 1, '', usual)).toEqual(lines);
	expect(speakers.fields(1)).toEqual({ speaker: 1 });
});

test('the name of another speaker joins the two for good', () => {
	const speakers = new SpeakerNames();
	const lines = speakers.rename([line({ speaker: 0 }), line({ speaker: 1 })], 0, 'Ann', usual);
	const joined = speakers.rename(lines, 1, 'Ann', usual);
	expect(joined).toEqual([0, 1].map(() => line({ speaker: 0, speakerName: 'Ann' })));
	expect(speakers.fields(1)).toEqual({ speaker: 0, speakerName: 'Ann' });
	speakers.begin(joined);
	expect(speakers.fields(0)).toEqual({ speaker: 2 }); // a new number, never one that was joined
	expect(speakers.rename([line({ speaker: 0 }), line({ speaker: 2 })], 2, 'Speaker 1', usual)).toMatchObject([
		{ speaker: 0 },
		{ speaker: 2, speakerName: 'Speaker 1' },
	]);
});

test('kept lines bring their names with them', () => {
	const speakers = new SpeakerNames();
	speakers.open([line({ speaker: 1, speakerName: 'Ann' })]);
	expect(speakers.fields(1)).toEqual({ speaker: 1, speakerName: 'Ann' });
	speakers.open([]);
	expect(speakers.fields(1)).toEqual({ speaker: 1 });
});

test('a voice that the server knows has a name, until it is taken back or the user gives another', () => {
	const speakers = new SpeakerNames();
	speakers.begin([line({ speaker: 2 })]); // numbers continue from 3
	speakers.know([0, 1, null], [{ number: 1, name: 'Ann' }]);
	expect(speakers.fields(0)).toEqual({ speaker: 3 });
	expect(speakers.fields(1)).toEqual({ speaker: 4, speakerName: 'Ann' });
	speakers.rename([line({ speaker: 4 })], 4, 'Anna', usual);
	expect(speakers.fields(1)).toEqual({ speaker: 4, speakerName: 'Anna' });
	speakers.rename([line({ speaker: 4 })], 4, '', usual);
	expect(speakers.fields(1)).toEqual({ speaker: 4, speakerName: 'Ann' });
	speakers.know([1], []);
	expect(speakers.fields(1)).toEqual({ speaker: 4 });
});
