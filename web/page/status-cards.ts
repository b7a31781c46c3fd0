/** The cards of the last minutes: a large value each, and a small chart below it. */

import { Chart, type Figures } from './status-chart.js';
import { type Health, type Past, type Sample, highest, refused, roundUp, sum } from './status-data.js';
import { element } from './status-dom.js';
import type { StatusTexts } from './status-texts.js';

const RECENT_SECONDS = 60;
/** Minimum ranges of the scales, so that noise looks like noise. */
const MIN_QUEUE_SECONDS = 10;
const MIN_DELAY_MILLISECONDS = 500;
const MIN_SESSIONS = 4;
const MIN_COUNT = 4;

const CARDS = ['workers', 'queue', 'sessions', 'delays', 'jobs', 'refusals'] as const;

interface CardContent {
	readonly figure: string;
	readonly unit: string;
	readonly note: string;
	readonly scaleMax: number;
	readonly topOfScale: string;
	readonly series: Figures['series'];
	readonly marks?: readonly number[];
}

/** All cards. */
export class Cards {
	readonly #cards = new Map(CARDS.map(name => [name, new Card(name)]));

	constructor(into: HTMLElement) {
		into.append(...[...this.#cards.values()].map(card => card.element));
	}

	/** Shows the current state and the history. */
	show(health: Health, past: Past, texts: StatusTexts): void {
		const { samples } = past;
		for (const [name, card] of this.#cards) {
			const shown = CARD_CONTENTS[name](health, past, samples, texts);
			card.show(texts.cards[name].title, shown, past, texts);
		}
	}
}

class Card {
	readonly element: HTMLElement;
	readonly #title = element('h3');
	readonly #figure = element('span', 'figure');
	readonly #unit = element('span', 'unit');
	readonly #note = element('p', 'note');
	readonly #chart = new Chart();
	readonly #top = element('span');
	readonly #begin = element('span');
	readonly #now = element('span');

	constructor(name: string) {
		const figure = element('p', 'reading');
		figure.append(this.#figure, ' ', this.#unit);
		// The chart has the same text for screen readers.
		const top = element('p', 'scale scale-top');
		const scale = element('p', 'scale');
		top.ariaHidden = scale.ariaHidden = 'true';
		top.append(this.#top);
		scale.append(this.#begin, this.#now);
		this.element = element('article', `card card-${name}`);
		this.element.append(this.#title, figure, this.#note, top, this.#chart.element, scale);
	}

	show(title: string, shown: CardContent, past: Past, texts: StatusTexts): void {
		this.#title.textContent = title;
		this.#figure.textContent = shown.figure;
		this.#unit.textContent = shown.unit;
		this.#note.textContent = shown.note;
		this.#top.textContent = shown.topOfScale;
		this.#begin.textContent = texts.begin(Math.round(past.spanSeconds / 60));
		this.#now.textContent = texts.now;
		this.#chart.draw(`${title}: ${texts.lately}`, {
			at: past.samples.map(({ at }) => at),
			everySeconds: past.everySeconds,
			nowSeconds: past.now,
			spanSeconds: past.spanSeconds,
			scaleMax: shown.scaleMax,
			series: shown.series,
			...(shown.marks === undefined ? {} : { marks: shown.marks }),
			inWords: past.samples.length === 0 ? texts.noFigures : `${shown.figure} ${shown.unit}; ${shown.note}`,
		});
	}
}

type Show = (health: Health, past: Past, samples: readonly Sample[], texts: StatusTexts) => CardContent;

const CARD_CONTENTS: Readonly<Record<(typeof CARDS)[number], Show>> = {
	workers: (health, { everySeconds }, samples, { cards }) => {
		const all = health.workers.length;
		const ready = health.workers.filter(({ state }) => state === 'ready' || state === 'busy').length;
		const scaleMax = highest(
			samples.map(({ workers }) => workers),
			all,
		);
		const values = { ready, all, crashes: sum(samples.map(({ crashes }) => crashes)) };
		return {
			...cardTexts(cards.workers, values),
			scaleMax,
			topOfScale: `${scaleMax}`,
			series: [{ look: 'chart-area', values: samples.map(sample => sample.ready) }],
			marks: samples.filter(({ crashes }) => crashes > 0).map(({ at }) => at - everySeconds / 2),
		};
	},
	queue: (health, _past, samples, { cards }) => {
		const { audio_s: now, max_audio_s: bound } = health.queue;
		const top = highest(samples.map(({ queueSeconds }) => queueSeconds));
		const scaleMax = roundUp(Math.max(top, MIN_QUEUE_SECONDS));
		return {
			...cardTexts(cards.queue, { seconds: now.toFixed(1), bound: `${bound}`, peak: top.toFixed(1) }),
			scaleMax,
			topOfScale: `${scaleMax}`,
			series: [{ look: 'chart-area', values: samples.map(sample => sample.queueSeconds) }],
		};
	},
	sessions: (health, _past, samples, { cards }) => {
		const { connected, waiting, max } = health.sessions;
		const top = highest(samples.map(sample => sample.connected));
		const scaleMax = roundUp(Math.max(top, MIN_SESSIONS));
		return {
			...cardTexts(cards.sessions, { connected, waiting, max, peak: top }),
			scaleMax,
			topOfScale: `${scaleMax}`,
			series: [{ look: 'chart-area', values: samples.map(sample => sample.connected) }],
		};
	},
	delays: (_health, _past, samples, { cards }) => {
		const spoken = samples.filter(({ p95 }) => p95 !== null);
		const last = spoken.at(-1);
		const top = highest(spoken.map(({ p95 }) => p95));
		const scaleMax = roundUp(Math.max(top, MIN_DELAY_MILLISECONDS));
		const values =
			last === undefined ? null : { p50: `${last.p50 ?? 0}`, p95: `${last.p95 ?? 0}`, peak: `${top}` };
		return {
			...cardTexts(cards.delays, values),
			scaleMax,
			topOfScale: `${scaleMax}`,
			series: [
				{ look: 'chart-area chart-faint', values: samples.map(({ p95 }) => p95) },
				{ look: 'chart-area', values: samples.map(({ p50 }) => p50) },
			],
		};
	},
	jobs: (_health, { now }, samples, { cards }) => {
		const counts = samples.map(({ done }) => done);
		const lately = sum(recent(samples, now).map(({ done }) => done));
		const scaleMax = roundUp(highest(counts, MIN_COUNT));
		return {
			...cardTexts(cards.jobs, { lately, retried: sum(samples.map(({ retried }) => retried)) }),
			scaleMax,
			topOfScale: `${scaleMax}`,
			series: [{ look: 'chart-area', values: counts }],
		};
	},
	refusals: (_health, { now }, samples, { cards }) => {
		const counts = samples.map(refused);
		const scaleMax = roundUp(highest(counts, MIN_COUNT));
		return {
			...cardTexts(cards.refusals, { count: sum(counts), lately: sum(recent(samples, now).map(refused)) }),
			scaleMax,
			topOfScale: `${scaleMax}`,
			series: [{ look: 'chart-area chart-bad', values: counts }],
		};
	},
};

function recent(samples: readonly Sample[], nowSeconds: number): readonly Sample[] {
	return samples.filter(({ at }) => at > nowSeconds - RECENT_SECONDS);
}

function cardTexts<Values>(
	card: {
		figure: (values: Values) => string;
		unit: (values: Values) => string;
		note: (values: Values) => string;
	},
	values: Values,
): Pick<CardContent, 'figure' | 'unit' | 'note'> {
	return { figure: card.figure(values), unit: card.unit(values), note: card.note(values) };
}
