/** When to come back to a server that is gone or full. Pure, but for the dice. */

/** How patient a client is. */
export interface ClientRules {
	/** Before the first new connection; doubled each time. */
	readonly firstDelaySeconds: number;
	/** The longest of these. */
	readonly maxDelaySeconds: number;
	/** A server that was not to be had for so long is given up. */
	readonly patienceSeconds: number;
	/** The same before anything was ever connected; one that says that it is full gets `patienceSeconds`. */
	readonly firstPatienceSeconds: number;
	/** The longest that one attempt may take, `ready` included. */
	readonly connectLimitSeconds: number;
	/** A server that owes an answer and says nothing for so long counts as gone. */
	readonly silenceSeconds: number;
	/** The same after the last audio: finals may take a while. */
	readonly lastWordsSeconds: number;
	/** Something is said at least this often. */
	readonly keepaliveSeconds: number;
	/**
	 * Audio that is kept until its finals are there: 3 kB of Opus a second. If a server is away for longer, the oldest
	 * audio is lost (see `patienceSeconds`, too).
	 */
	readonly maxKeptSeconds: number;
}

/** What holds where an application gives no rules. */
export const DEFAULT_RULES: ClientRules = {
	firstDelaySeconds: 0.25,
	maxDelaySeconds: 10,
	patienceSeconds: 900,
	firstPatienceSeconds: 0,
	connectLimitSeconds: 10,
	silenceSeconds: 10,
	lastWordsSeconds: 30,
	keepaliveSeconds: 15,
	maxKeptSeconds: 600,
};

/** Counts failures in a row: each wait is twice as long as the one before, less some chance. */
export class Backoff {
	#failures = 0;
	#sinceSeconds: number | null = null;
	readonly #rules: ClientRules;
	readonly #chance: () => number;

	/**
	 * @param rules - How long.
	 * @param chance - Gives a number of 0 to 1: clients that were cut off together don't come together.
	 */
	constructor(rules: ClientRules, chance: () => number) {
		this.#rules = rules;
		this.#chance = chance;
	}

	/** Takes note that the server has done real work. */
	worked(): void {
		this.#failures = 0;
		this.#sinceSeconds = null;
	}

	/**
	 * Returns how long to wait after a failure; `null` when patience is at its end.
	 *
	 * @param nowSeconds - Monotonic.
	 * @param patienceSeconds - How long after the first failure in a row.
	 * @param askedSeconds - How long the server asked us to stay away.
	 */
	nextDelaySeconds(nowSeconds: number, patienceSeconds: number, askedSeconds = 0): number | null {
		this.#sinceSeconds ??= nowSeconds;
		const { firstDelaySeconds, maxDelaySeconds } = this.#rules;
		const longest = Math.min(maxDelaySeconds, firstDelaySeconds * 2 ** this.#failures);
		this.#failures++;
		const delay = askedSeconds + longest * (0.5 + 0.5 * this.#chance());
		return nowSeconds + delay - this.#sinceSeconds <= patienceSeconds ? delay : null;
	}
}
