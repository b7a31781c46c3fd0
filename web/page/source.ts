/** What can be listened to: microphones, and the sound of a tab where the browser has that. */

import { AuricleError, openMicrophone } from '../src/index.js';
import type { CaptionTexts } from './caption-texts.js';
import { byId } from './dom.js';

/** The choice that is no microphone. */
const TAB = 'tab';

// Browsers hide both from pages that came over plain http; phones have no tabs to share.
const devices = navigator.mediaDevices as MediaDevices | undefined;
const canShare = devices !== undefined && 'getDisplayMedia' in devices;

/** The choice of what to listen to. */
export class SourceChoice {
	readonly #select = byId('source', HTMLSelectElement);
	#opened = '';
	#texts: CaptionTexts;

	/**
	 * @param texts - Its words.
	 * @param whenChosen - Is told when somebody chooses.
	 */
	constructor(texts: CaptionTexts, whenChosen: () => void) {
		this.#texts = texts;
		this.#select.addEventListener('change', whenChosen);
		devices?.addEventListener('devicechange', () => void this.list());
	}

	/** Whether what was opened last is a tab. */
	get isTab(): boolean {
		return this.#opened === TAB;
	}

	/** Shows what was opened last: something else could not be had. */
	goBack(): void {
		this.#select.value = this.#opened;
	}

	/** Says the same in another language. */
	speak(texts: CaptionTexts): void {
		this.#texts = texts;
		void this.list();
	}

	/**
	 * Opens what is chosen.
	 *
	 * @throws AuricleError with a code of `problems`.
	 */
	async open(): Promise<MediaStream> {
		const chosen = this.#select.value;
		const media =
			chosen === TAB ? await openTab() : await openMicrophone(chosen === '' ? {} : { deviceId: chosen });
		this.#opened = chosen;
		void this.list(); // now they have names
		return media;
	}

	/** Shows what there is. */
	async list(): Promise<void> {
		const found = (await devices?.enumerateDevices().catch(() => [])) ?? [];
		// Before permission is given they have neither names nor ids.
		const microphones = found.filter(
			({ kind, deviceId }) => kind === 'audioinput' && deviceId !== '' && deviceId !== 'default',
		);
		const { usual, unnamed, tab } = this.#texts.source;
		const options = [
			new Option(usual, ''),
			...microphones.map(({ label, deviceId }, index) => new Option(label || unnamed(index + 1), deviceId)),
			...(canShare ? [new Option(tab, TAB)] : []),
		];
		const chosen = this.#select.value;
		this.#select.replaceChildren(...options);
		this.#select.value = options.some(({ value }) => value === chosen) ? chosen : '';
	}
}

async function openTab(): Promise<MediaStream> {
	const media = await navigator.mediaDevices
		.getDisplayMedia({ audio: true, video: true })
		.catch((error: unknown) => {
			throw new AuricleError('tab_denied', String(error));
		});
	if (media.getAudioTracks().length === 0) {
		release(media);
		throw new AuricleError('tab_silent', 'The tab was shared without its sound.');
	}
	return media;
}

/** Lets go of a microphone or tab. */
export function release(media: MediaStream): void {
	media.getTracks().forEach(track => track.stop());
}
