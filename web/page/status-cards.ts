/** The cards of the last minutes: a large value each, and a small chart below it. */

import { Chart, type Figures } from './status-chart.js';
import {
	type Health,
	type Past,
	type Sample,
	type Scale,
	highest,
	refused,
	refusedToClients,
	scaleOf,
	sum,
} from './status-data.js';
import { element } from './status-dom.js';
import type { StatusTexts } from './status-texts.js';

const RECENT_SECONDS = 60;
/** Minimum ranges of the scales, so that noise looks like noise. */
const MIN_QUEUE_SECONDS = 10;
const MIN_DELAY_SECONDS = 0.5;
const MIN_SESSIONS = 4;
const MIN_COUNT = 4;

const CARDS = ['workers', 'queue', 'sessions', 'delays', 'jobs', 'refusals', 'cpu', 'memory'] as const;

interface CardContent {
	readonly figure: string;
	readonly unit: string;
	readonly note: string;
	readonly scale: Scale;
	/** Writes a value of the scale with its unit. */
	readonly written: (value: number) => string;
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
	readonly #over = element('p', 'over');
	readonly #top = element('span');
	readonly #begin = element('span');
	readonly #now = element('span');

	constructor(name: string) {
		const figure = element('p', 'reading');
		figure.append(this.#figure, ' ', this.#unit);
		// The chart has the same text for screen readers.
		const range = element('p', 'range');
		const scale = element('p', 'scale');
		range.ariaHidden = scale.ariaHidden = this.#over.ariaHidden = 'true';
		range.append(this.#top, element('span', '', '0'));
		scale.append(this.#begin, this.#now);
		const plot = element('div', 'plot');
		plot.append(this.#over, this.#chart.element, range, scale);
		this.element = element('article', `card card-${name}`);
		this.element.append(this.#title, figure, this.#note, plot);
	}

	show(title: string, shown: CardContent, past: Past, texts: StatusTexts): void {
		this.#title.textContent = title;
		this.#figure.textContent = shown.figure;
		this.#unit.textContent = shown.unit;
		this.#note.textContent = shown.note;
		const peak = highest(shown.series.flatMap(({ values }) => values));
		this.#over.textContent = shown.scale.isClipped ? `▲ ${shown.written(peak)}` : '';
		this.#top.textContent = shown.written(shown.scale.max);
		this.#begin.textContent = texts.begin(Math.round(past.spanSeconds / 60));
		this.#now.textContent = texts.now;
		this.#chart.draw(`${title}: ${texts.lately}`, {
			at: past.samples.map(({ at }) => at),
			everySeconds: past.everySeconds,
			nowSeconds: past.now,
			spanSeconds: past.spanSeconds,
			scaleMax: shown.scale.max,
			series: shown.series,
			...(shown.marks === undefined ? {} : { marks: shown.marks }),
			inWords: past.samples.length === 0 ? texts.noFigures : `${shown.figure} ${shown.unit}; ${shown.note}`,
		});
	}
}

type Show = (health: Health, past: Past, samples: readonly Sample[], texts: StatusTexts) => CardContent;

const CARD_CONTENTS: Readonly<Record<(typeof CARDS)[number], Show>> = {
	workers: (health, { everySeconds }, samples, { cards, units }) => {
		const all = health.workers.length;
		const ready = health.workers.filter(({ state }) => state === 'ready' || state === 'busy').length;
		const max = highest(
			samples.map(({ workers }) => workers),
			Math.max(all, 1),
		);
		const values = { ready, all, crashes: sum(samples.map(({ crashes }) => crashes)) };
		return {
			...cardTexts(cards.workers, values),
			scale: { max, isClipped: false },
			written: units.count,
			series: [{ look: 'chart-area', values: samples.map(sample => sample.ready) }],
			marks: samples.filter(({ crashes }) => crashes > 0).map(({ at }) => at - everySeconds / 2),
		};
	},
	queue: (health, _past, samples, { cards, units }) => {
		const { audio_s: now, max_audio_s: bound } = health.queue;
		const values = samples.map(({ queueSeconds }) => queueSeconds);
		const peak = highest(values).toFixed(1);
		return {
			...cardTexts(cards.queue, { seconds: now.toFixed(1), bound: bound.toFixed(0), peak }),
			scale: scaleOf(values, MIN_QUEUE_SECONDS),
			written: units.seconds,
			series: [{ look: 'chart-area', values }],
		};
	},
	sessions: (health, _past, samples, { cards, units }) => {
		const { connected, waiting } = health.sessions;
		const values = samples.map(sample => sample.connected);
		return {
			...cardTexts(cards.sessions, { connected, waiting, peak: highest(values) }),
			scale: scaleOf(values, MIN_SESSIONS),
			written: units.count,
			series: [{ look: 'chart-area', values }],
		};
	},
	delays: (_health, _past, samples, { cards, units }) => {
		const spoken = samples.filter(({ p95 }) => p95 !== null);
		const last = spoken.at(-1);
		const seconds = (value: number | null): number | null => (value === null ? null : value / 1000);
		const slowest = samples.map(({ p95 }) => seconds(p95));
		const tenths = (value: number | null): string => (value ?? 0).toFixed(1);
		const values =
			last === undefined
				? null
				: { p50: tenths(seconds(last.p50)), p95: tenths(seconds(last.p95)), peak: tenths(highest(slowest)) };
		return {
			...cardTexts(cards.delays, values),
			scale: scaleOf(slowest, MIN_DELAY_SECONDS),
			written: units.seconds,
			series: [
				{ look: 'chart-area chart-faint', values: slowest },
				{ look: 'chart-area', values: samples.map(({ p50 }) => seconds(p50)) },
			],
		};
	},
	jobs: (_health, { now }, samples, { cards, units }) => {
		const values = samples.map(({ done }) => done);
		const lately = sum(recent(samples, now).map(({ done }) => done));
		return {
			...cardTexts(cards.jobs, { lately, retried: sum(samples.map(({ retried }) => retried)) }),
			scale: scaleOf(values, MIN_COUNT),
			written: units.count,
			series: [{ look: 'chart-area', values }],
		};
	},
	refusals: (_health, { now }, samples, { cards, units }) => {
		const values = samples.map(refused);
		const lately = sum(recent(samples, now).map(refused));
		const byClients = sum(samples.map(refusedToClients));
		return {
			...cardTexts(cards.refusals, { count: sum(values), lately, byClients }),
			scale: scaleOf(values, MIN_COUNT),
			written: units.count,
			series: [{ look: 'chart-area chart-bad', values }],
		};
	},
	cpu: ({ host }, _past, samples, { cards, units }) => {
		const values = samples.map(({ cpuPercent }) => cpuPercent);
		const shown =
			host === null
				? null
				: {
						percent: host.cpu_percent.toFixed(0),
						cores: host.cores,
						peak: highest(values, host.cpu_percent).toFixed(0),
					};
		return {
			...cardTexts(cards.cpu, shown),
			scale: { max: 100, isClipped: false },
			written: units.percent,
			series: [{ look: 'chart-area', values }],
		};
	},
	memory: ({ host }, _past, samples, { cards, units }) => {
		const values = samples.map(({ memoryMegabytes }) => memoryMegabytes);
		const peak = highest(values, host?.memory_used_mb);
		const shown =
			host === null
				? null
				: {
						used: gigabytes(host.memory_used_mb),
						all: gigabytes(host.memory_mb),
						peak: gigabytes(peak),
					};
		return {
			...cardTexts(cards.memory, shown),
			scale: { max: Math.max(host?.memory_mb ?? 0, peak, 1), isClipped: false },
			written: megabytes => units.gigabytes(gigabytes(megabytes)),
			series: [{ look: 'chart-area', values }],
		};
	},
};

function gigabytes(megabytes: number): string {
	return (megabytes / 1000).toFixed(1);
}

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
