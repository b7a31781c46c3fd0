import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { layOut, settle, type Timed } from '../page/subtitle-layout.js';

interface Span {
	readonly start: number;
	readonly end: number;
	readonly text: string;
}

interface Vector {
	readonly name: string;
	readonly max_line_width: number;
	readonly max_lines: number;
	readonly sentences: readonly (Span & { readonly words?: readonly Span[] })[];
	readonly gaps: readonly Span[];
	readonly cues: readonly Span[];
}

// The server's tests read the same file.
const VECTORS = JSON.parse(
	readFileSync(new URL('../../testdata/subtitle_vectors.json', import.meta.url), 'utf8'),
) as Vector[];

const timed = ({ start, end, text }: Span): Timed => ({ begin: start, end: Math.max(start, end), text });

describe('lays out subtitles as the server does', () => {
	test.each(VECTORS)('$name', vector => {
		const sentences = vector.sentences.map(each => (each.words ?? [each]).map(timed));
		const limits = { maxLineWidth: vector.max_line_width, maxLines: vector.max_lines };
		const cues = settle(layOut(sentences, limits), vector.gaps.map(timed));
		expect(cues).toEqual(vector.cues.map(cue => ({ ...timed(cue), speaker: null })));
	});
});
