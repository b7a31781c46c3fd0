/** Audio sources: microphones, and the audio of a tab where the browser supports it. */

import { AuricleError, openMicrophone } from '../src/index.js';
import type { CaptionTexts } from './caption-texts.js';
import { byId } from './dom.js';

/** The option that is not a microphone. */
const TAB = 'tab';

// Browsers hide both from pages loaded over plain HTTP; phones have no tabs to share.
const devices = navigator.mediaDevices as MediaDevices | undefined;
// Firefox and Safari share a tab without its audio. Only browsers that share audio know how to mute it for the user.
const canShare =
	devices !== undefined &&
	'getDisplayMedia' in devices &&
	'suppressLocalAudioPlayback' in devices.getSupportedConstraints();

/** The selection of the audio source. */
export class SourceChoice {
	readonly #select = byId('source', HTMLSelectElement);
	#opened = '';
	#texts: CaptionTexts;

	/**
	 * @param texts - Texts of the options.
	 * @param whenChosen - Called when the user selects a source.
	 */
	constructor(texts: CaptionTexts, whenChosen: () => void) {
		this.#texts = texts;
		this.#select.addEventListener('change', whenChosen);
		devices?.addEventListener('devicechange', () => void this.list());
	}

	/** Whether the source opened last is a tab. */
	get isTab(): boolean {
		return this.#opened === TAB;
	}

	/** Selects the source opened last again, when another could not be opened. */
	goBack(): void {
		this.#select.value = this.#opened;
	}

	/** Changes the language. */
	render(texts: CaptionTexts): void {
		this.#texts = texts;
		void this.list();
	}

	/**
	 * Opens the selected source.
	 *
	 * @throws AuricleError with a code of `problems`.
	 */
	async open(): Promise<MediaStream> {
		const chosen = this.#select.value;
		const media =
			chosen === TAB ? await openTab() : await openMicrophone(chosen === '' ? {} : { deviceId: chosen });
		this.#opened = chosen;
		void this.list(); // the microphones have names now
		return media;
	}

	/** Lists the available sources. */
	async list(): Promise<void> {
		const devicesFound = (await devices?.enumerateDevices().catch(() => [])) ?? [];
		// Before the permission is granted they have neither names nor IDs.
		const microphones = devicesFound.filter(
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
		stopTracks(media);
		throw new AuricleError('tab_silent', 'The tab was shared without audio.');
	}
	return media;
}

/** Releases a microphone or tab. */
export function stopTracks(media: MediaStream): void {
	media.getTracks().forEach(track => track.stop());
}
