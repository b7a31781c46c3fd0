/** Small charts of the last minutes: filled steps, each as wide as its sample, without a library. */

const SVG = 'http://www.w3.org/2000/svg';
const WIDTH = 300;
const HEIGHT = 60;

/** A value over time; `null` where there is none. */
export interface Series {
	/** Its class in the style sheet. */
	readonly look: string;
	readonly values: readonly (number | null)[];
}

/** Data of a chart. */
export interface Figures {
	readonly at: readonly number[];
	readonly everySeconds: number;
	readonly nowSeconds: number;
	readonly spanSeconds: number;
	/** Maximum of the scale. */
	readonly scaleMax: number;
	/** Drawn over each other. */
	readonly series: readonly Series[];
	/** Times of events, drawn from top to bottom. */
	readonly marks?: readonly number[];
	/** The same as a sentence. */
	readonly inWords: string;
}

let charts = 0;

/** A chart that is redrawn as data arrives. */
export class Chart {
	readonly element = svg('svg');
	readonly #title = svg('title');
	readonly #words = svg('desc');
	readonly #drawing = svg('g');

	constructor() {
		charts += 1;
		this.#title.id = `chart-${charts}`;
		this.#words.id = `chart-${charts}-words`;
		const attributes = {
			viewBox: `0 0 ${WIDTH} ${HEIGHT}`,
			preserveAspectRatio: 'none',
			role: 'img',
			class: 'chart',
			'aria-labelledby': this.#title.id,
			'aria-describedby': this.#words.id,
		};
		for (const [name, value] of Object.entries(attributes)) {
			this.element.setAttribute(name, value);
		}
		this.element.append(this.#title, this.#words, this.#drawing);
	}

	/** Draws the data; `title` names it. */
	draw(title: string, figures: Figures): void {
		this.#title.textContent = title;
		this.#words.textContent = figures.inWords;
		const { at, everySeconds, marks = [] } = figures;
		const x = (seconds: number): number =>
			round(WIDTH + ((seconds - figures.nowSeconds) / figures.spanSeconds) * WIDTH);
		const drawn = figures.series.map(({ look, values }) =>
			path(look, silhouette(at, values, everySeconds, x, figures.scaleMax)),
		);
		const crossed = marks.map(seconds => `M${x(seconds)} 0V${HEIGHT}`).join('');
		const clipped = figures.series
			.map(({ values }) => overshoot(at, values, everySeconds, x, figures.scaleMax))
			.join('');
		this.#drawing.replaceChildren(
			path('chart-half', `M0 ${HEIGHT / 2}H${WIDTH}`),
			...drawn,
			...(clipped === '' ? [] : [path('chart-over', clipped)]),
			...(crossed === '' ? [] : [path('chart-mark', crossed)]),
		);
	}
}

/** Returns the outline of steps; adjacent steps form one shape, so that no seams show. */
export function silhouette(
	at: readonly number[],
	values: readonly (number | null)[],
	everySeconds: number,
	x: (seconds: number) => number,
	scaleMax: number,
): string {
	let drawn = '';
	let end = -Infinity; // of the previous step, in seconds
	at.forEach((seconds, index) => {
		const value = values[index] ?? null;
		if (value === null || value === 0) {
			return;
		}
		const begin = Math.max(end, seconds - everySeconds);
		const isContinued = begin - end < everySeconds / 2;
		if (!isContinued) {
			drawn += `${drawn === '' ? '' : `V${HEIGHT}Z`}M${x(begin)} ${HEIGHT}`;
		}
		drawn += `V${round(HEIGHT - (Math.min(value, scaleMax) / scaleMax) * HEIGHT)}H${x(seconds)}`;
		end = seconds;
	});
	return drawn === '' ? '' : `${drawn}V${HEIGHT}Z`;
}

/** Returns lines along the upper edge, above the steps that are higher than the scale. */
export function overshoot(
	at: readonly number[],
	values: readonly (number | null)[],
	everySeconds: number,
	x: (seconds: number) => number,
	scaleMax: number,
): string {
	return at
		.filter((_seconds, index) => (values[index] ?? 0) > scaleMax)
		.map(seconds => `M${x(seconds - everySeconds)} 0H${x(seconds)}`)
		.join('');
}

function path(look: string, d: string): SVGElement {
	const element = svg('path');
	element.setAttribute('class', look);
	element.setAttribute('d', d);
	return element;
}

function svg(name: string): SVGElement {
	return document.createElementNS(SVG, name);
}

function round(value: number): number {
	return Math.round(value * 10) / 10;
}
