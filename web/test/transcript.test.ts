import { describe, expect, it } from 'vitest';
import { CAPTION_TEXTS } from '../page/caption-texts.js';
import { gapReason, gapText } from '../page/gap-line.js';
import {
	clock,
	type FileFormat,
	type Line,
	type TranscriptLine,
	formatTranscript as writtenIn,
} from '../page/transcript.js';

const formatTranscript = (
	lines: readonly TranscriptLine[],
	format: FileFormat,
	texts: (typeof CAPTION_TEXTS)['en' | 'zh'] = CAPTION_TEXTS.en,
): string =>
	writtenIn(lines, format, {
		text: gap => gapText(gap, texts),
		reason: gap => gapReason(gap, texts),
		speaker: texts.speakers.name,
	});

const line = (startSeconds: number, endSeconds: number, text: string): Line => ({
	startSeconds,
	endSeconds,
	text,
	language: 'en',
});

const LINES = [line(0.4, 2.1, ' And so,'), line(3720.5, 3723.0015, 'my fellow Americans.')];

describe('a transcript', () => {
	it('is written as text, one line each', () => {
		expect(formatTranscript(LINES, 'txt')).toBe('And so,\nmy fellow Americans.\n');
	});

	it('is written as SubRip', () => {
		expect(formatTranscript(LINES, 'srt')).toBe(
			'1\n00:00:00,400 --> 00:00:02,100\nAnd so,\n\n' +
				'2\n01:02:00,500 --> 01:02:03,002\nmy fellow Americans.\n',
		);
	});

	it('is written as WebVTT', () => {
		expect(formatTranscript(LINES, 'vtt')).toBe(
			'WEBVTT\n\n00:00:00.400 --> 00:00:02.100\nAnd so,\n\n' +
				'01:02:00.500 --> 01:02:03.002\nmy fellow Americans.\n',
		);
	});

	it('is cut into cues at its word times', () => {
		const words = ['I', ' came.', ' I', ' saw.'].map((text, index) => ({
			startSeconds: 3 * index,
			endSeconds: 3 * index + 0.5,
			text,
		}));
		const timed = { ...line(0, 9.5, 'I came. I saw.'), words, speaker: 0 };
		expect(formatTranscript([timed], 'srt')).toBe(
			'1\n00:00:00,000 --> 00:00:01,000\nSpeaker 1: I\n\n2\n00:00:03,000 --> 00:00:04,000\ncame.\n\n' +
				'3\n00:00:06,000 --> 00:00:07,000\nI\n\n4\n00:00:09,000 --> 00:00:10,000\nsaw.\n',
		);
		expect(JSON.parse(formatTranscript([timed], 'json'))).toMatchObject({
			segments: [{ words: [{ start: 0, end: 0.5, word: 'I' }, {}, {}, { word: 'saw.' }] }],
		});
	});

	it('is written as JSON', () => {
		expect(JSON.parse(formatTranscript(LINES, 'json'))).toEqual({
			text: 'And so, my fellow Americans.',
			segments: [
				{ start: 0.4, end: 2.1, text: 'And so,', language: 'en' },
				{ start: 3720.5, end: 3723.002, text: 'my fellow Americans.', language: 'en' },
			],
			gaps: [],
		});
	});

	it('names its speakers', () => {
		const lines = [
			{ ...line(0, 1, 'Shall we?'), speaker: 0 },
			{ ...line(1, 2, 'Yes.'), speaker: 1, speakerName: 'Ann' },
			{ ...line(2, 3, 'Please.'), speaker: 1, speakerName: 'Ann' },
		];
		expect(formatTranscript(lines, 'txt')).toBe('Speaker 1: Shall we?\nAnn: Yes.\nAnn: Please.\n');
		expect(formatTranscript(lines.slice(0, 1), 'txt', CAPTION_TEXTS.zh)).toBe('发言人 1: Shall we?\n');
		const vtt = formatTranscript(lines, 'vtt');
		expect(vtt).toContain('<v Speaker 1>Speaker 1: Shall we?\n');
		expect(vtt).toContain('<v Ann>Ann: Yes. Please.\n');
		expect(formatTranscript(lines, 'srt')).toMatch(/Speaker 1: Shall we\?\n\n2\n[^]*Ann: Yes\. Please\.\n/);
		expect(JSON.parse(formatTranscript(lines, 'json'))).toMatchObject({
			segments: [{ speaker: 0, speaker_name: null }, { speaker: 1, speaker_name: 'Ann' }, {}],
		});
	});

	it.each<FileFormat>(['srt', 'vtt'])(
		'names a speaker who continues again after half a minute: %s',
		format => {
			const lines = [0.4, 20, 30.4].map(at => ({ ...line(at, at + 1, 'Yes.'), speaker: 0 }));
			const texts = formatTranscript(lines, format).match(/^.*Yes\.$/gm);
			const shown = ['Speaker 1: Yes.', 'Yes.', 'Speaker 1: Yes.'];
			expect(texts).toEqual(format === 'srt' ? shown : shown.map(text => `<v Speaker 1>${text}`));
		},
	);

	const lost = { startSeconds: 2.2, endSeconds: 34, gap: 'unreachable' };

	it.each<[FileFormat, string]>([
		['txt', 'And so,\n[31.8 s missing: server unreachable]\nBye.\n'],
		[
			'srt',
			'1\n00:00:00,400 --> 00:00:02,100\nAnd so,\n\n' +
				'2\n00:00:02,200 --> 00:00:34,000\n[31.8 s missing: server unreachable]\n\n' +
				'3\n00:00:34,000 --> 00:00:35,000\nBye.\n',
		],
		[
			'vtt',
			'WEBVTT\n\n00:00:00.400 --> 00:00:02.100\nAnd so,\n\n' +
				'00:00:02.200 --> 00:00:34.000\n[31.8 s missing: server unreachable]\n\n' +
				'00:00:34.000 --> 00:00:35.000\nBye.\n',
		],
	])('marks lost speech in %s', (format, expected) => {
		expect(formatTranscript([line(0.4, 2.1, 'And so,'), line(34, 35, 'Bye.'), lost], format)).toBe(expected);
	});

	it('lists lost speech with start, end and reason in JSON', () => {
		expect(JSON.parse(formatTranscript([line(0.4, 2.1, 'And so,'), lost], 'json'))).toMatchObject({
			text: 'And so,',
			gaps: [{ start: 2.2, end: 34, code: 'unreachable', reason: 'server unreachable' }],
		});
	});

	it('says that the server was too busy, in both languages', () => {
		const late = { ...lost, gap: 'too_late' };
		expect(formatTranscript([late], 'txt')).toBe(
			'[31.8 s missing: server too busy to transcribe it in time]\n',
		);
		expect(formatTranscript([late], 'txt', CAPTION_TEXTS.zh)).toBe(
			'[缺失 31.8 秒：服务器繁忙，来不及转写]\n',
		);
	});

	it('describes lost speech in Chinese, and an unknown reason by its code', () => {
		expect(formatTranscript([lost], 'txt', CAPTION_TEXTS.zh)).toBe('[缺失 31.8 秒：无法连接服务器]\n');
		const failed = { ...lost, gap: 'poison_job' };
		expect(formatTranscript([failed], 'txt')).toBe('[31.8 s missing: not recognised (poison_job)]\n');
		expect(formatTranscript([failed], 'txt', CAPTION_TEXTS.zh)).toBe(
			'[缺失 31.8 秒：未能识别（poison_job）]\n',
		);
	});

	it.each<[FileFormat, string]>([
		['txt', ''],
		['srt', ''],
		['vtt', 'WEBVTT\n'],
	])('without lines is an empty %s', (format, empty) => {
		expect(formatTranscript([], format)).toBe(empty);
		expect(formatTranscript([line(0, 1, ' \n')], format)).toBe(empty);
	});

	it('has ordered cues without overlap and with a duration', () => {
		const lines = [line(2, 3, 'two.'), line(0, 2.5, 'one.'), line(3, 3, 'three.')];
		expect(
			[...formatTranscript(lines, 'vtt').matchAll(/(\S+) --> (\S+)\n(\w+)/g)].map(([, ...cue]) => cue),
		).toEqual([
			['00:00:00.000', '00:00:01.600', 'one'],
			['00:00:02.000', '00:00:03.000', 'two'],
			['00:00:03.000', '00:00:04.000', 'three'],
		]);
	});

	it('escapes markup in the text', () => {
		const lines = [line(0, 1, 'a\n\n1\u2028--> <b>&')];
		expect(formatTranscript(lines, 'srt')).toBe('1\n00:00:00,000 --> 00:00:01,000\na 1 -> <b>&\n');
		expect(formatTranscript(lines, 'vtt')).toBe(
			'WEBVTT\n\n00:00:00.000 --> 00:00:01.000\na 1 --&gt; &lt;b&gt;&amp;\n',
		);
	});
});

describe('a clock', () => {
	it.each([
		[0, '0:00'],
		[59.9, '0:59'],
		[61, '1:01'],
		[3723, '1:02:03'],
		[-1, '0:00'],
	])('shows %d seconds as %s', (seconds, shown) => {
		expect(clock(seconds)).toBe(shown);
	});
});
