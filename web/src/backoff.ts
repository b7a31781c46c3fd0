/** When to reconnect to a server that is unreachable or full. Pure, except for the random numbers. */

/** Time limits of a client. */
export interface ClientRules {
	/** Wait before the first reconnection; doubled for each further one. */
	readonly firstDelaySeconds: number;
	/** Maximum of these waits. */
	readonly maxDelaySeconds: number;
	/** Time without a connection after which the client gives up. */
	readonly patienceSeconds: number;
	/** The same before the first connection; a server that reports that it is full gets `patienceSeconds`. */
	readonly firstPatienceSeconds: number;
	/** Maximum duration of one attempt, including `ready`. */
	readonly connectLimitSeconds: number;
	/** Time without a message after which a server that owes a response counts as gone. */
	readonly silenceSeconds: number;
	/** The same after the last audio: finals may take a while. */
	readonly lastWordsSeconds: number;
	/** Maximum time between messages to the server. */
	readonly keepaliveSeconds: number;
	/**
	 * Audio kept until its finals arrive: 3 kB of Opus a second. If the server is unreachable for longer, the oldest audio
	 * is lost (see also `patienceSeconds`).
	 */
	readonly maxKeptSeconds: number;
}

/** Defaults for the rules that an application does not give. */
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

/** Counts consecutive failures: each wait is twice the previous one, minus a random part. */
export class Backoff {
	#failures = 0;
	#sinceSeconds: number | null = null;
	readonly #rules: ClientRules;
	readonly #chance: () => number;

	/**
	 * @param rules - The time limits.
	 * @param chance - Returns a random number from 0 to 1, so that disconnected clients do not all return at once.
	 */
	constructor(rules: ClientRules, chance: () => number) {
		this.#rules = rules;
		this.#chance = chance;
	}

	/** Records that the server made progress. */
	worked(): void {
		this.#failures = 0;
		this.#sinceSeconds = null;
	}

	/**
	 * Returns the wait after a failure; `null` when the client should give up.
	 *
	 * @param nowSeconds - Monotonic time.
	 * @param patienceSeconds - Limit since the first of the consecutive failures.
	 * @param askedSeconds - Wait that the server requested.
	 * @param maxSeconds - Maximum in the place of the rules' one.
	 */
	nextDelaySeconds(
		nowSeconds: number,
		patienceSeconds: number,
		askedSeconds = 0,
		maxSeconds = this.#rules.maxDelaySeconds,
	): number | null {
		this.#sinceSeconds ??= nowSeconds;
		const longest = Math.min(maxSeconds, this.#rules.firstDelaySeconds * 2 ** this.#failures);
		this.#failures++;
		const delay = askedSeconds + longest * (0.5 + 0.5 * this.#chance());
		return nowSeconds + delay - this.#sinceSeconds <= patienceSeconds ? delay : null;
	}
}
