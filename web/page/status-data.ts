/** The server's status from /health and /health/history, and the history that the page keeps. */

const MAX_CRASHES = 50;

/** How a worker ended; only the operator gets `stack`. */
export interface WorkerExit {
	readonly signal?: string;
	readonly code?: number | null;
	readonly reason: string;
	/** Seconds since 1970. */
	readonly at: number;
	readonly stack?: readonly string[];
}

/** State of a worker. */
export interface WorkerNow {
	readonly id: string;
	readonly pid: number | null;
	readonly state: string;
	readonly restarts: number;
	readonly jobs_done: number;
	readonly rss_mb: number;
	readonly last_exit: WorkerExit | null;
}

/** State of a model of the server's table. */
export interface ModelNow {
	readonly name: string;
	readonly state: string;
	readonly workers: number;
	readonly ready_workers: number;
	readonly waiting_audio_s: number;
	readonly jobs: { readonly done: number; readonly failed: number };
}

/** Background jobs: unfinished ones in the database, and those that this server has ended. */
export type JobCounts = Readonly<Record<'queued' | 'running' | 'done' | 'failed' | 'cancelled', number>>;

/** People who are transcribed live, and how many the server holds. */
export interface LiveNow {
	readonly speakers: number;
	readonly capacity: number;
	/** Whether the capacity was learned from the delays of captions. */
	readonly learned: boolean;
	/** Whether the operator has set it. */
	readonly fixed: boolean;
	/** Whether captions are late now. */
	readonly late: boolean;
	/** Refused clients that try again. */
	readonly waiting_clients: number;
}

/** Use of the host by all its programs. */
export interface HostNow {
	readonly cores: number;
	readonly cpu_percent: number;
	readonly memory_mb: number;
	readonly memory_used_mb: number;
}

/** Use by one key since the server started. */
export interface ClientNow {
	readonly client: string;
	readonly requests: number;
	readonly audio_s: number;
	readonly sessions: number;
}

/** `GET /health`. */
export interface Health {
	readonly status: 'ok' | 'degraded' | 'down';
	readonly version: string;
	readonly model: string;
	/** The default model first. */
	readonly models: readonly ModelNow[];
	readonly workers: readonly WorkerNow[];
	readonly decode_workers: readonly WorkerNow[];
	readonly queue: { readonly jobs: number; readonly audio_s: number; readonly max_audio_s: number };
	readonly sessions: { readonly connected: number; readonly waiting: number };
	readonly live: LiveNow;
	readonly background_jobs: JobCounts;
	/** `null` in the first second of the server. */
	readonly host: HostNow | null;
	/** `null` without the operator's key, if the server has keys. */
	readonly clients: readonly ClientNow[] | null;
}

/** One list for each value, oldest first. */
export interface Columns {
	readonly at: readonly number[];
	readonly workers: readonly number[];
	readonly ready: readonly number[];
	readonly crashes: readonly number[];
	readonly queue_audio_s: readonly number[];
	readonly connected: readonly number[];
	readonly waiting: readonly number[];
	readonly done: readonly number[];
	readonly retried: readonly number[];
	readonly final_p50_ms: readonly (number | null)[];
	readonly final_p95_ms: readonly (number | null)[];
	readonly cpu_percent: readonly number[];
	readonly memory_used_mb: readonly number[];
	readonly refusals: Counts;
	readonly client_refusals: Counts;
}

type Counts = Readonly<Record<string, readonly number[]>>;

/** A crash of a worker. */
export interface Crash extends WorkerExit {
	readonly worker: string;
}

/** `GET /health/history`. */
export interface History {
	readonly now: number;
	readonly started_at: number | null;
	readonly every_s: number;
	readonly span_s: number;
	readonly with_stacks: boolean;
	readonly samples: Columns;
	readonly exits: readonly Crash[];
}

/** The worst values of some seconds. */
export interface Sample {
	readonly at: number;
	readonly workers: number;
	readonly ready: number;
	readonly crashes: number;
	readonly queueSeconds: number;
	readonly connected: number;
	readonly waiting: number;
	readonly done: number;
	readonly retried: number;
	readonly p50: number | null;
	readonly p95: number | null;
	readonly cpuPercent: number;
	readonly memoryMegabytes: number;
	/** Errors of the server, by code. */
	readonly refusals: ReadonlyMap<string, number>;
	/** Errors of clients, such as wrong keys, by code. */
	readonly clientRefusals: ReadonlyMap<string, number>;
}

/** History of the last minutes. */
export interface Past {
	/** Seconds since 1970, by the server's clock. */
	readonly now: number;
	readonly startedAt: number;
	readonly spanSeconds: number;
	readonly everySeconds: number;
	readonly withStacks: boolean;
	readonly samples: readonly Sample[];
	/** Newest first. */
	readonly crashes: readonly Crash[];
}

/**
 * Merges the server's history into the known one. A restarted server has no earlier history; the page still has it if it
 * was open.
 */
export function mergeHistory(known: Past | null, history: History): Past {
	const begin = history.started_at ?? history.now;
	const oldest = history.now - history.span_s;
	const earlier = (known?.samples ?? []).filter(({ at }) => at < begin && at > oldest);
	const earlierCrashes = (known?.crashes ?? []).filter(({ at }) => at < begin);
	return {
		now: history.now,
		startedAt: begin,
		spanSeconds: history.span_s,
		everySeconds: history.every_s,
		withStacks: history.with_stacks,
		samples: [...earlier, ...rows(history.samples)],
		crashes: [...[...history.exits].sort((one, other) => other.at - one.at), ...earlierCrashes].slice(
			0,
			MAX_CRASHES,
		),
	};
}

function rows(columns: Columns): Sample[] {
	const countsAt = (counts: Counts, index: number): ReadonlyMap<string, number> =>
		new Map(Object.entries(counts).map(([code, numbers]) => [code, numbers[index] ?? 0]));
	return columns.at.map((at, index) => ({
		at,
		workers: columns.workers[index] ?? 0,
		ready: columns.ready[index] ?? 0,
		crashes: columns.crashes[index] ?? 0,
		queueSeconds: columns.queue_audio_s[index] ?? 0,
		connected: columns.connected[index] ?? 0,
		waiting: columns.waiting[index] ?? 0,
		done: columns.done[index] ?? 0,
		retried: columns.retried[index] ?? 0,
		p50: columns.final_p50_ms[index] ?? null,
		p95: columns.final_p95_ms[index] ?? null,
		cpuPercent: columns.cpu_percent[index] ?? 0,
		memoryMegabytes: columns.memory_used_mb[index] ?? 0,
		refusals: countsAt(columns.refusals, index),
		clientRefusals: countsAt(columns.client_refusals, index),
	}));
}

/** Returns how often each code occurs, the most frequent first. */
export function countCodes(all: readonly ReadonlyMap<string, number>[]): [code: string, count: number][] {
	const counts = new Map<string, number>();
	for (const one of all) {
		for (const [code, count] of one) {
			counts.set(code, (counts.get(code) ?? 0) + count);
		}
	}
	return [...counts].filter(([, count]) => count > 0).sort(([, one], [, other]) => other - one);
}

/** Returns the sum. */
export function sum(values: readonly number[]): number {
	return values.reduce((all, value) => all + value, 0);
}

/** Returns the number of errors of the server. */
export function refused({ refusals }: Sample): number {
	return sum([...refusals.values()]);
}

/** Returns the number of errors of clients. */
export function refusedToClients({ clientRefusals }: Sample): number {
	return sum([...clientRefusals.values()]);
}

/** Returns the highest value, but at min `min`. */
export function highest(values: readonly (number | null)[], min = 0): number {
	return values.reduce<number>((most, value) => Math.max(most, value ?? 0), min);
}

/** The end of a scale. */
export interface Scale {
	readonly max: number;
	/** Whether a few values are higher. */
	readonly isClipped: boolean;
}

/** Values this many times as high as nine tenths of all others do not set the scale. */
const OUTLIER_FACTOR = 4;
const MIN_VALUES_TO_CLIP = 4;

/**
 * Returns a scale on which a few outliers do not flatten all other values.
 *
 * @param values - Zeros and `null` do not count.
 * @param min - Minimum end of the scale, so that noise looks like noise.
 */
export function scaleOf(values: readonly (number | null)[], min: number): Scale {
	const sorted = values
		.map(value => value ?? 0)
		.filter(value => value > 0)
		.sort((one, other) => one - other);
	const highest = Math.max(min, sorted.at(-1) ?? 0);
	const usual = Math.max(min, sorted[Math.floor(0.9 * (sorted.length - 1))] ?? 0);
	if (sorted.length >= MIN_VALUES_TO_CLIP && highest > OUTLIER_FACTOR * usual) {
		return { max: roundUp(usual), isClipped: true };
	}
	return { max: roundUp(highest), isClipped: false };
}

/** Returns the next round number, for the end of a scale. */
export function roundUp(value: number): number {
	const power = 10 ** Math.floor(Math.log10(value));
	return ([1, 2, 5, 10].find(step => step * power >= value - 1e-9) ?? 10) * power;
}
