/**
 * Lays out sentences with times as readable subtitles: where cues and lines break. Pure.
 *
 * Same algorithm as the server's `auricle.text.formats.subtitles.layout`, which explains it;
 * `testdata/subtitle_vectors.json` tests both. Times are whole milliseconds.
 */

const PAUSE_MILLISECONDS = 800;
const MIN_CUE_MILLISECONDS = 1000;
const MAX_CUE_MILLISECONDS = 7000;
const MAX_CHARACTERS_PER_SECOND = 21;
const MAX_DELAY_MILLISECONDS = 1000;
const MAX_CHARACTER_MILLISECONDS = 400;
/** WebVTT does not allow a cue that ends where it starts, and players do not show it. */
const SHORTEST_CUE_MILLISECONDS = 1;

/** Limits of a cue. */
export interface SubtitleLimits {
	readonly maxLineWidth: number;
	readonly maxLines: number;
}

/** Common values in the industry. */
export const USUAL_LIMITS: SubtitleLimits = { maxLineWidth: 42, maxLines: 2 };

/** A word with its leading space, a whole sentence, or a cue. */
export interface Timed {
	readonly begin: number;
	readonly end: number;
	readonly text: string;
	/** A cue has one speaker; `null` or omitted: unknown. */
	readonly speaker?: string | null;
}

interface Unit extends Timed {
	/** Whether a space precedes it. */
	readonly space: boolean;
	readonly width: number;
}

// The costs of a break, by what precedes it. Only their ratios matter.
const AT_SENTENCE = 0;
const AT_CLAUSE = 100;
const AT_CONJUNCTION = 250;
const ELSEWHERE = 500;
const CLINGING_COST = 300;
const CUE_COST = 100;
const INNER_SENTENCE_COST = 400;
const SLACK_COST = 150;

// Without the no-break spaces.
const SPACE = /[\t-\r \x1c-\x1f\x85\u1680\u2000-\u2006\u2008-\u200a\u2028\u2029\u205f\u3000]+/u;
const SENTENCE_END = /[.!?…。！？]['"”’»)\]』」）]*$/u;
const CLAUSE_END = /[,;:–—，、；：]['"”’»)\]』」）]*$/u;
const SHORT = /^[A-Z][a-z]{0,2}[.]$/u;
const INVISIBLE = /[\p{Mn}\p{Me}\u200b\u200c\u200d\u2060\ufeff]/u;
const CLOSING = new Set(
	'、。，．・：；？！ー」』）】〕》〉’”…,.!?:;)]}%°ぁぃぅぇぉっゃゅょァィゥェォッャュョ々ะาำๆฯະາຳ',
);
const OPENING = new Set('「『（【〔《〈‘“([{¿¡$#เแโใไເແໂໃໄ');
const WIDE = [
	[0x1100, 0x115f],
	[0x2e80, 0x303e],
	[0x3041, 0xa4cf],
	[0xac00, 0xd7a3],
	[0xf900, 0xfaff],
	[0xfe30, 0xfe6f],
	[0xff00, 0xff60],
	[0xffe0, 0xffe6],
	[0x1f300, 0x1faff],
	[0x20000, 0x3fffd],
] as const;
const HANGUL = [
	[0x1100, 0x115f],
	[0xac00, 0xd7a3],
] as const;
const CONJUNCTIONS = new Set(
	(
		'and but or so because that which who when where while if than as although though unless until' +
		' und oder aber denn weil dass wenn als ob während sondern' +
		' et ou mais donc car que qui quand si comme y o pero porque cuando como'
	).split(' '),
);
const CLINGING = new Set(
	(
		'a an the of to in on at by for with from my your his her its our their this these those' +
		' i we he she they is are was were be very not no so and but or mr. mrs. ms. dr. st. prof.' +
		' der die das den dem des ein eine einen einem einer eines im zu zum zur von mit auf für nicht und oder' +
		' le la les un une du de à au aux en dans pour par sur ce cette et ou' +
		' el los las unos unas del al con por para su y o'
	).split(' '),
);

/** Returns the cues of these sentences, each given as words or as a whole, in order of time. */
export function layOut(sentences: readonly (readonly Timed[])[], limits: SubtitleLimits): Timed[] {
	const runs = runsOf(unitsOf(sentences, limits.maxLineWidth));
	return runs.flatMap((run, index) =>
		cut(run, runs[index + 1]?.[0]?.begin, limits).map(units => ({
			begin: units[0]?.begin ?? 0,
			end: units.at(-1)?.end ?? 0,
			text: inLines(units, limits.maxLineWidth),
			speaker: units[0]?.speaker ?? null,
		})),
	);
}

/**
 * Extends cues to a readable duration without overlaps.
 *
 * @param cues - From {@link layOut}.
 * @param fixed - Cues with a fixed duration: the lines of gaps.
 */
export function settle(cues: readonly Timed[], fixed: readonly Timed[] = []): Timed[] {
	const every = [
		...cues.map(cue => ({ ...cue, isFixed: false })),
		...fixed.map(cue => ({ ...cue, isFixed: true })),
	].sort((one, other) => one.begin - other.begin);
	let free = 0;
	return every.map((cue, index) => {
		const begin = Math.max(free, cue.begin);
		let end = cue.end;
		if (!cue.isFixed) {
			end = Math.max(end, begin + needed(textWidth(cue.text)));
			end = Math.min(end, begin + MAX_CUE_MILLISECONDS);
		}
		const following = every[index + 1];
		if (following !== undefined) {
			const delay = cue.isFixed || following.isFixed ? 0 : MAX_DELAY_MILLISECONDS;
			end = Math.min(end, following.begin + delay);
		}
		free = Math.max(end, begin + SHORTEST_CUE_MILLISECONDS);
		return { begin, end: free, text: cue.text, speaker: cue.speaker ?? null };
	});
}

/** Returns a text's width in Latin characters. */
export function textWidth(text: string): number {
	return sum(Array.from(text, characterWidth));
}

/** Returns the time needed to read a text. */
function needed(width: number): number {
	const milliseconds = Math.ceil((width * 1000) / MAX_CHARACTERS_PER_SECOND);
	return Math.min(MAX_CUE_MILLISECONDS, Math.max(MIN_CUE_MILLISECONDS, milliseconds));
}

function unitsOf(sentences: readonly (readonly Timed[])[], maxWidth: number): Unit[] {
	const units: Unit[] = [];
	const inOrder = sentences
		.filter(words => words.length > 0)
		.sort((one, other) => (one[0]?.begin ?? 0) - (other[0]?.begin ?? 0));
	for (const sentence of inOrder) {
		let begins = true;
		for (const word of sentence) {
			const parts = word.text.split(SPACE);
			const whole = Math.max(1, sum(parts.map(textWidth)));
			const length = Math.min(word.end - word.begin, whole * MAX_CHARACTER_MILLISECONDS);
			const at = (before: number): number => word.begin + Math.floor((length * before) / whole);
			let before = 0;
			for (const [number, part] of parts.entries()) {
				for (const [index, text] of atoms(part, maxWidth).entries()) {
					const width = textWidth(text);
					const unit = {
						begin: at(before),
						end: at(before + width),
						text,
						space: number > 0 && index === 0,
						width,
						speaker: word.speaker ?? null,
					};
					before += width;
					append(units, unit, begins, maxWidth);
					begins = false;
				}
			}
		}
	}
	return units;
}

/** Adds a unit; joins it to the previous one if no line may break between them. */
function append(units: Unit[], unit: Unit, begins: boolean, maxWidth: number): void {
	const last = units.at(-1);
	if (last === undefined) {
		units.push({ ...unit, space: false });
		return;
	}
	const begin = Math.max(unit.begin, last.begin);
	const end = Math.max(unit.end, begin);
	const [before, after] = [lastOf(last.text), firstOf(unit.text)];
	const space = begins ? !(isSpaceless(before) && isSpaceless(after)) : unit.space;
	const width = last.width + unit.width;
	if (begins || unit.space || width > maxWidth || mayBreak(before, after)) {
		units.push({ ...unit, begin, end, space });
	} else {
		units[units.length - 1] = { ...last, end: Math.max(end, last.end), text: last.text + unit.text, width };
	}
}

/** Splits a text without spaces where a line may break. */
function atoms(part: string, maxWidth: number): string[] {
	const isTooWide = textWidth(part) > maxWidth;
	const clusters: string[] = [];
	for (const character of part) {
		const last = clusters.at(-1);
		if (last === undefined || isAtomsEnd(last, character, maxWidth, isTooWide)) {
			clusters.push(character);
		} else {
			clusters[clusters.length - 1] = last + character;
		}
	}
	return clusters;
}

function isAtomsEnd(atom: string, following: string, maxWidth: number, isTooWide: boolean): boolean {
	const width = characterWidth(following);
	if (width === 0) {
		return false;
	}
	if (textWidth(atom) + width > maxWidth) {
		return true;
	}
	const last = lastOf(atom);
	return (isTooWide && !holdsTogether(last, following)) || mayBreak(last, following);
}

/** Returns whether a line may end between two characters without a space. */
function mayBreak(before: string, after: string): boolean {
	return !holdsTogether(before, after) && (isSpaceless(before) || isSpaceless(after));
}

function holdsTogether(before: string, after: string): boolean {
	return OPENING.has(before) || CLOSING.has(after) || characterWidth(after) === 0;
}

/** Returns runs of one speaker's speech without a pause. */
function runsOf(units: readonly Unit[]): Unit[][] {
	const runs: Unit[][] = [];
	for (const unit of units) {
		const run = runs.at(-1);
		const last = run?.at(-1);
		const isSame = last?.speaker === unit.speaker;
		if (run === undefined || last === undefined || !isSame || unit.begin - last.end >= PAUSE_MILLISECONDS) {
			runs.push([unit]);
		} else {
			run.push(unit);
		}
	}
	return runs;
}

interface Step {
	readonly cost: number;
	readonly lines: number;
	readonly from: number;
}

/** Cuts a run of speech without a pause into cues, at the lowest cost. */
function cut(run: readonly Unit[], next: number | undefined, limits: SubtitleLimits): Unit[][] {
	const breaks = breakCosts(run);
	const capacity = limits.maxLineWidth * limits.maxLines;
	return cheapest(run, (first, before, offer) => {
		const begin = run[first]?.begin ?? 0;
		let [line, lines, width, inner] = [0, 1, 0, 0];
		for (let index = first; index < run.length; index++) {
			const unit = run[index] as Unit;
			const isFirst = index === first;
			const own = unit.width + (unit.space && !isFirst ? 1 : 0);
			width += own;
			if (line > 0 && line + own > limits.maxLineWidth) {
				[line, lines] = [unit.width, lines + 1];
			} else {
				line += own;
			}
			if (!isFirst) {
				if (lines > limits.maxLines || unit.end - begin > MAX_CUE_MILLISECONDS) {
					break;
				}
				inner += breaks[index] === AT_SENTENCE ? INNER_SENTENCE_COST : 0;
			}
			const until = index + 1 < run.length ? run[index + 1]?.begin : next;
			let cost = before.cost + CUE_COST + inner + (breaks[index + 1] ?? 0) + slackCost(width, capacity);
			if (until !== undefined) {
				cost += Math.max(0, needed(width) - (until - begin));
			}
			offer(index + 1, { cost, lines: 0, from: first });
		}
	});
}

/** Returns a cue's text in the minimum number of lines, broken at the lowest cost. */
function inLines(units: readonly Unit[], maxWidth: number): string {
	const breaks = breakCosts(units);
	return cheapest(units, (first, before, offer) => {
		let width = 0;
		for (let index = first; index < units.length; index++) {
			const unit = units[index] as Unit;
			const isFirst = index === first;
			width += unit.width + (unit.space && !isFirst ? 1 : 0);
			if (width > maxWidth && !isFirst) {
				break;
			}
			const cost = before.cost + (breaks[index + 1] ?? 0) + slackCost(width, maxWidth);
			offer(index + 1, { cost, lines: before.lines + 1, from: first });
		}
	})
		.map(joined)
		.join('\n');
}

/**
 * Returns the cheapest way to cut units into stretches: fewest lines first, then lowest cost.
 *
 * @param extend - Yields the possible ends of a stretch from a start, each with its cost.
 */
function cheapest(
	units: readonly Unit[],
	extend: (first: number, before: Step, offer: (end: number, step: Step) => void) => void,
): Unit[][] {
	const steps: (Step | undefined)[] = [{ cost: 0, lines: 0, from: 0 }];
	for (let first = 0; first < units.length; first++) {
		extend(first, steps[first] as Step, (end, step) => {
			const known = steps[end];
			if (
				known === undefined ||
				step.lines < known.lines ||
				(step.lines === known.lines && step.cost < known.cost)
			) {
				steps[end] = step;
			}
		});
	}
	const stretches: Unit[][] = [];
	for (let end = units.length; end > 0;) {
		const from = steps[end]?.from ?? 0;
		stretches.unshift(units.slice(from, end));
		end = from;
	}
	return stretches;
}

function joined(units: readonly Unit[]): string {
	return units.map(({ text, space }, index) => (space && index > 0 ? ` ${text}` : text)).join('');
}

/** Returns the cost of a break before each unit, and at the end. */
function breakCosts(units: readonly Unit[]): number[] {
	return [0, ...units.slice(1).map((unit, index) => breakCost(units[index]?.text ?? '', unit.text)), 0];
}

function breakCost(before: string, after: string): number {
	const clings = CLINGING.has(before.toLowerCase());
	if (!clings && SENTENCE_END.test(before)) {
		return SHORT.test(before) ? AT_CLAUSE : AT_SENTENCE;
	}
	if (CLAUSE_END.test(before)) {
		return AT_CLAUSE;
	}
	const cost = CONJUNCTIONS.has(after.toLowerCase()) ? AT_CONJUNCTION : ELSEWHERE;
	return cost + (clings ? CLINGING_COST : 0);
}

function slackCost(width: number, capacity: number): number {
	const slack = Math.max(0, capacity - width);
	return Math.floor((slack * slack * SLACK_COST) / (capacity * capacity));
}

function characterWidth(character: string): number {
	if (isWithin(character, WIDE)) {
		return 2;
	}
	return INVISIBLE.test(character) ? 0 : 1;
}

/** Returns whether a character belongs to a script that is written without spaces. */
function isSpaceless(character: string): boolean {
	return isWithin(character, WIDE) && !isWithin(character, HANGUL);
}

function isWithin(character: string, ranges: readonly (readonly [number, number])[]): boolean {
	const code = character.codePointAt(0) ?? 0;
	return ranges.some(([first, last]) => first <= code && code <= last);
}

function firstOf(text: string): string {
	return String.fromCodePoint(text.codePointAt(0) ?? 0);
}

function lastOf(text: string): string {
	return Array.from(text).at(-1) ?? '';
}

function sum(values: readonly number[]): number {
	return values.reduce((total, value) => total + value, 0);
}
