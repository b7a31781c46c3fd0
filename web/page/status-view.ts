/** Shows the server's state and history. */

import { Cards } from './status-cards.js';
import {
	type ClientNow,
	type Crash,
	type JobCounts,
	type LiveNow,
	type ModelNow,
	type Past,
	type Sample,
	type WorkerNow,
	countCodes,
	highest,
	refused,
	sum,
} from './status-data.js';
import { byId, setText } from './dom.js';
import { type Cell, Rows, element } from './status-dom.js';
import type { ServerState } from './status-poll.js';
import { STATUS_TEXTS, type StatusTexts } from './status-texts.js';

const MINUTE_SECONDS = 60;

/** The parts of the page that change. */
export class StatusView {
	readonly #cards = new Cards(byId('cards', HTMLElement));
	readonly #models = new Rows(byId('models', HTMLElement));
	readonly #clients = new Rows(byId('clients', HTMLElement));
	readonly #workers = new Rows(byId('workers', HTMLElement));
	readonly #refusals = new Rows(byId('refusals', HTMLElement));
	readonly #minutes = new Rows(byId('minutes', HTMLElement));
	readonly #crashes = new Map<string, HTMLElement>();
	#texts: StatusTexts = STATUS_TEXTS.en;
	#language = 'en';

	/** Uses this language from the next {@link show} on. */
	render(texts: StatusTexts, language: string): void {
		this.#texts = texts;
		this.#language = language;
		byId('crashes', HTMLElement).replaceChildren();
		this.#crashes.clear();
	}

	/** Shows all that is known; `awaySince` is the time since which the server is unreachable. */
	show(known: ServerState | null, awaySince: number | null): void {
		this.#showState(known, awaySince);
		document.body.classList.toggle('away', awaySince !== null);
		byId('known', HTMLElement).hidden = known === null;
		if (known === null) {
			return;
		}
		const { health, past } = known;
		this.#cards.show(health, past, this.#texts);
		this.#showLive(health.live);
		this.#models.show(health.models.map(model => [model.name, this.#model(model)]));
		this.#workers.show(
			[...health.workers, ...health.decode_workers].map(worker => [worker.id, this.#worker(worker)]),
		);
		this.#showJobs(health.background_jobs);
		this.#showClients(health.clients);
		this.#showCrashes(past);
		this.#showRefusals(past);
		if (byId('figures', HTMLElement).hasAttribute('open')) {
			this.#showMinutes(past);
		}
	}

	#showState(known: ServerState | null, awaySince: number | null): void {
		const { states, away, asking, about } = this.#texts;
		const state = byId('state', HTMLElement);
		const status = awaySince === null ? (known?.health.status ?? 'asking') : 'away';
		let text = asking;
		if (awaySince !== null) {
			text = away(this.#time(awaySince / 1000));
		} else if (known !== null) {
			text = states[known.health.status];
		}
		setText(state, text);
		state.className = `state state-${status}`;
		if (known !== null) {
			const { version, model } = known.health;
			const since = this.#time(known.past.startedAt, WITH_THE_DATE);
			byId('about', HTMLElement).textContent = about(version, model, since);
		}
	}

	#model({ name, state, workers, ready_workers, waiting_audio_s, jobs }: ModelNow): Cell[] {
		const { states } = this.#texts.models;
		return [
			name,
			{ text: states[state] ?? state, look: `worker worker-${state}` },
			number(`${ready_workers} / ${workers}`),
			number(waiting_audio_s.toLocaleString(this.#language, { maximumFractionDigits: 1 })),
			number(jobs.done.toLocaleString(this.#language)),
			number(jobs.failed.toLocaleString(this.#language)),
		];
	}

	#worker({ id, state, pid, restarts, jobs_done, rss_mb, last_exit }: WorkerNow): Cell[] {
		const { workers, crashes } = this.#texts;
		return [
			id,
			{ text: workers.states[state] ?? state, look: `worker worker-${state}` },
			number(pid === null ? '–' : `${pid}`),
			number(`${restarts}`),
			number(jobs_done.toLocaleString(this.#language)),
			number(pid === null ? '–' : `${Math.round(rss_mb)} MB`),
			last_exit === null ? workers.never : `${this.#time(last_exit.at)} ${crashes.how(last_exit)}`,
		];
	}

	#showLive({ speakers, capacity, learned, fixed, late, waiting_clients }: LiveNow): void {
		const { live } = this.#texts;
		setText(byId('live-speakers', HTMLElement), `${Math.round(speakers)}`);
		setText(
			byId('live-capacity', HTMLElement),
			live.capacity(Math.round(capacity), fixed ? 'set' : learned ? 'learned' : 'unknown'),
		);
		setText(byId('live-late', HTMLElement), late ? live.late : live.onTime);
		setText(byId('live-waiting', HTMLElement), waiting_clients.toLocaleString(this.#language));
	}

	#showJobs(counts: JobCounts): void {
		for (const [state, count] of Object.entries(counts)) {
			setText(byId(`jobs-${state}`, HTMLElement), count.toLocaleString(this.#language));
		}
	}

	#showClients(clients: readonly ClientNow[] | null): void {
		const { hidden, none } = this.#texts.clients;
		const known = clients ?? [];
		byId('client-table', HTMLElement).hidden = known.length === 0;
		setText(byId('no-client', HTMLElement), clients === null ? hidden : known.length === 0 ? none : '');
		this.#clients.show(
			known.map(({ client, requests, audio_s, sessions }) => [
				client,
				[
					client,
					number(requests.toLocaleString(this.#language)),
					number(duration(audio_s)),
					number(sessions.toLocaleString(this.#language)),
				],
			]),
		);
	}

	/** A crash is not rendered again once it is shown: the user may be reading a stack. */
	#showCrashes({ crashes, withStacks }: Past): void {
		byId('no-crash', HTMLElement).hidden = crashes.length > 0;
		const list = byId('crashes', HTMLElement);
		const crashesByKey = new Map(crashes.map(crash => [`${crash.worker} ${crash.at} ${withStacks}`, crash]));
		for (const [key, shown] of this.#crashes) {
			if (!crashesByKey.has(key)) {
				shown.remove();
				this.#crashes.delete(key);
			}
		}
		[...crashesByKey].forEach(([key, crash], index) => {
			if (!this.#crashes.has(key)) {
				const shown = this.#crash(crash);
				this.#crashes.set(key, shown);
				list.insertBefore(shown, list.children[index] ?? null);
			}
		});
	}

	#crash(crash: Crash): HTMLElement {
		const texts = this.#texts.crashes;
		const item = element('li', 'crash');
		const time = element('time', '', this.#time(crash.at));
		time.dateTime = new Date(crash.at * 1000).toISOString();
		const what = element('p');
		what.append(time, ' ', element('strong', '', crash.worker), ` ${texts.how(crash)}`);
		item.append(what);
		if (crash.signal === 'SIGKILL' && crash.reason === 'exited') {
			item.append(element('p', 'note', texts.killed));
		} else if (crash.stack === undefined) {
			item.append(element('p', 'note', texts.hidden));
		} else if (crash.stack.length === 0) {
			item.append(element('p', 'note', texts.noStack));
		} else {
			const details = element('details');
			const stack = element('pre', '', crash.stack.join('\n'));
			stack.tabIndex = 0; // so that the keyboard can scroll it
			details.append(element('summary', '', texts.stack), stack);
			item.append(details);
		}
		return item;
	}

	#showRefusals({ samples }: Past): void {
		const { reasons, byServer, byClients } = this.#texts.refusals;
		const byCause = [
			[byServer, samples.map(({ refusals }) => refusals)],
			[byClients, samples.map(({ clientRefusals }) => clientRefusals)],
		] as const;
		const refusals = byCause.flatMap(([cause, counts]) =>
			countCodes(counts).map(([code, count]) => ({ code, count, cause })),
		);
		byId('no-refusal', HTMLElement).hidden = refusals.length > 0;
		byId('refusal-table', HTMLElement).hidden = refusals.length === 0;
		this.#refusals.show(
			refusals.map(({ code, count, cause }) => [
				code,
				[code, reasons[code] ?? code, cause, number(count.toLocaleString(this.#language))],
			]),
		);
	}

	#showMinutes({ samples }: Past): void {
		const minutes = new Map<number, Sample[]>();
		for (const sample of samples) {
			const minute = Math.floor(sample.at / MINUTE_SECONDS);
			minutes.set(minute, [...(minutes.get(minute) ?? []), sample]);
		}
		const rows = [...minutes].reverse().map(([minute, inIt]): [string, Cell[]] => {
			const delays = inIt.map(({ p95 }) => p95).filter(value => value !== null);
			return [
				`${minute}`,
				[
					this.#time(minute * MINUTE_SECONDS, { hour: '2-digit', minute: '2-digit' }),
					number(`${Math.min(...inIt.map(({ ready }) => ready))}`),
					number(highest(inIt.map(({ queueSeconds }) => queueSeconds)).toFixed(1)),
					number(`${highest(inIt.map(({ connected }) => connected))}`),
					number(delays.length === 0 ? '–' : `${highest(delays)}`),
					number(`${sum(inIt.map(refused))}`),
					number(`${sum(inIt.map(({ crashes }) => crashes))}`),
					number(`${highest(inIt.map(({ cpuPercent }) => cpuPercent))}`),
					number((highest(inIt.map(({ memoryMegabytes }) => memoryMegabytes)) / 1000).toFixed(1)),
				],
			];
		});
		this.#minutes.show(rows);
	}

	#time(seconds: number, how: Intl.DateTimeFormatOptions = TO_THE_SECOND): string {
		const time = new Date(seconds * 1000);
		const isToday = time.toDateString() === new Date().toDateString();
		const day: Intl.DateTimeFormatOptions = isToday ? {} : { month: 'short', day: 'numeric' };
		return time.toLocaleString(this.#language, { ...day, ...how, hourCycle: 'h23' });
	}
}

const TO_THE_SECOND: Intl.DateTimeFormatOptions = { hour: '2-digit', minute: '2-digit', second: '2-digit' };
const WITH_THE_DATE: Intl.DateTimeFormatOptions = {
	year: 'numeric',
	month: 'short',
	day: 'numeric',
	...TO_THE_SECOND,
};

/** Writes seconds as hours, minutes and seconds. */
function duration(seconds: number): string {
	const whole = Math.round(seconds);
	const parts = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60];
	return parts.map(part => `${part}`.padStart(2, '0')).join(':');
}

function number(text: string): Cell {
	return { text, look: 'number' };
}
