/** The dialog that shares a live session: nothing is shared before the click on its button. */

import { CAPTION_TEXTS, problem } from '../caption-texts.js';
import { setText } from '../dom.js';
import type { Language } from '../i18n.js';
import type { NoticeKind } from '../notice.js';
import { element } from '../status-dom.js';
import { qrCode } from './qr-code.js';
import { type ShareLink, isLocalOnly, layerUrl, shareLink } from './share-link.js';
import { SHARE_TEXTS, type ShareTexts } from './share-texts.js';
import { TokenRefused, readingToken, withdrawToken } from './share-token.js';

const HOUR_SECONDS = 3600;
const HOURS = [1, 2, 8, 24] as const;
const USUAL_HOURS = 2;
const COPIED_MILLISECONDS = 2000;

/** The dialog; one for the page. */
export class SharePanel {
	readonly #dialog = element('dialog', 'sharing');
	readonly #title = element('h2');
	readonly #about = element('p', 'note');
	readonly #lasts = element('select');
	readonly #lastsLabel = element('label');
	readonly #create = element('button');
	readonly #problem = element('p', 'notice');
	readonly #made = element('div', 'share-made');
	readonly #code = element('div', 'share-code');
	readonly #expires = element('p', 'note');
	readonly #localOnly = element('p', 'notice');
	readonly #link = new CopyField('share-link');
	readonly #withdraw = element('button', 'small');
	readonly #layer = new Layer();
	readonly #close = element('button', 'plain');
	readonly #key: () => string | undefined;
	readonly #whenVoid: (areVoid: boolean) => void;
	#language: Language;
	#session: string | null = null;
	#shared: ShareLink | null = null;

	/**
	 * @param key - Returns the key of the session, encoded for headers.
	 * @param language - The language of the page.
	 * @param whenVoid - Called with whether the newest link has ended, while the speaker goes on in another session.
	 */
	constructor(key: () => string | undefined, language: Language, whenVoid: (areVoid: boolean) => void) {
		this.#key = key;
		this.#whenVoid = whenVoid;
		this.#language = language;
		this.#title.id = 'share-title';
		this.#dialog.setAttribute('aria-labelledby', this.#title.id);
		this.#lasts.id = 'share-lasts';
		this.#lastsLabel.htmlFor = this.#lasts.id;
		this.#problem.role = 'alert';
		this.#localOnly.dataset['kind'] = 'hint';
		const choice = element('div', 'share-choice');
		choice.append(this.#lastsLabel, this.#lasts, this.#create);
		const text = element('div');
		text.append(this.#link.element, this.#expires, this.#withdraw, this.#localOnly);
		this.#made.append(this.#code, text);
		this.#dialog.append(this.#title, this.#about, choice, this.#problem, this.#made, this.#layer.element);
		this.#dialog.append(this.#close);
		this.#create.type = this.#close.type = this.#withdraw.type = 'button';
		this.#create.addEventListener('click', () => void this.#share());
		this.#withdraw.addEventListener('click', () => void this.#withdrawLink());
		this.#close.addEventListener('click', () => this.#dialog.close());
		document.body.append(this.#dialog);
		this.#renderHours();
		this.render(language);
	}

	/** Opens the dialog. */
	open(): void {
		this.#dialog.showModal();
	}

	/** Takes the session that is on the page; `null`: it has ended. */
	showSession(session: string | null): void {
		this.#session = session;
		this.#show();
	}

	/** Changes the language. */
	render(language: Language): void {
		this.#language = language;
		const texts = this.#texts;
		this.#title.textContent = texts.title;
		this.#about.textContent = texts.about;
		this.#lastsLabel.textContent = texts.lasts;
		this.#localOnly.textContent = texts.localOnly;
		this.#close.textContent = texts.close;
		this.#withdraw.textContent = texts.withdraw;
		for (const option of this.#lasts.options) {
			option.textContent = texts.hours(Number(option.value));
		}
		this.#link.render(texts.link, texts);
		this.#layer.render(texts);
		this.#show();
	}

	get #texts(): ShareTexts {
		return SHARE_TEXTS[this.#language];
	}

	#renderHours(): void {
		this.#lasts.append(...HOURS.map(hours => new Option('', String(hours))));
		this.#lasts.value = String(USUAL_HOURS);
	}

	async #share(): Promise<void> {
		const session = this.#session;
		if (session === null) {
			return;
		}
		await this.#request(this.#create, async () => {
			const seconds = Number(this.#lasts.value) * HOUR_SECONDS;
			const token = await readingToken(session, seconds, this.#key());
			const expiresAt = new Date(Date.now() + seconds * 1000);
			this.#shared = shareLink(new URL('.', location.href).href, session, token, expiresAt);
			this.#show();
		});
	}

	async #withdrawLink(): Promise<void> {
		const link = this.#shared;
		if (link === null) {
			return;
		}
		await this.#request(this.#withdraw, async () => {
			await withdrawToken(link.session, link.token, this.#key());
			this.#shared = null;
			this.#show();
			this.#say(this.#texts.withdrawn, 'hint');
			this.#create.focus(); // the button of the link is hidden
		});
	}

	/** Sends a request for a button, and says why it fails. */
	async #request(button: HTMLButtonElement, send: () => Promise<void>): Promise<void> {
		button.disabled = true;
		this.#say('');
		try {
			await send();
		} catch (error) {
			const code = error instanceof TokenRefused ? error.code : 'internal';
			this.#say(problem(code)(CAPTION_TEXTS[this.#language]));
		} finally {
			button.disabled = this.#session === null;
		}
	}

	#say(text: string, kind: NoticeKind = 'error'): void {
		this.#problem.dataset['kind'] = kind;
		setText(this.#problem, text);
	}

	#show(): void {
		const texts = this.#texts;
		const link = this.#shared;
		const isCurrent = link !== null && link.session === this.#session;
		this.#whenVoid(link !== null && this.#session !== null && !isCurrent);
		this.#made.hidden = this.#layer.element.hidden = !isCurrent;
		this.#create.disabled = this.#session === null;
		this.#create.textContent = link === null ? texts.create : texts.another;
		this.#create.classList.toggle('primary', !isCurrent);
		if (this.#session === null) {
			this.#say(texts.ended);
		} else {
			this.#say(link === null || isCurrent ? '' : texts.renewed);
		}
		if (isCurrent) {
			this.#code.replaceChildren(qrCode(link.url, texts.code));
			this.#link.show(link.url);
			const when: Intl.DateTimeFormatOptions = { dateStyle: 'medium', timeStyle: 'short' };
			this.#expires.textContent = texts.expires(link.expiresAt.toLocaleString(this.#language, when));
			this.#localOnly.hidden = !isLocalOnly(link.url);
			this.#layer.show(link);
		}
	}
}

/** The address of a layer, and how it looks. */
class Layer {
	readonly element = element('details', 'share-layer');
	readonly #summary = element('summary');
	readonly #about = element('p', 'note');
	readonly #background = element('select');
	readonly #lines = numberField('share-lines', { min: '1', max: '20', step: '1', value: '2' });
	readonly #size = numberField('share-size', { min: '1', max: '12', step: '0.5', value: '4' });
	readonly #labels = [element('label'), element('label'), element('label')] as const;
	readonly #link = new CopyField('share-layer-link');
	#shared: ShareLink | null = null;

	constructor() {
		this.#background.id = 'share-background';
		const fields = [this.#background, this.#lines, this.#size];
		const choices = element('div', 'share-choices');
		fields.forEach((field, index) => {
			const label = this.#labels[index] as HTMLLabelElement;
			const choice = element('div');
			label.htmlFor = field.id;
			choice.append(label, field);
			choices.append(choice);
			field.addEventListener('input', () => this.#show());
		});
		this.element.append(this.#summary, this.#about, choices, this.#link.element);
	}

	show(link: ShareLink): void {
		this.#shared = link;
		this.#show();
	}

	render(texts: ShareTexts): void {
		const { layer } = texts;
		this.#summary.textContent = layer.title;
		this.#about.textContent = layer.about;
		this.#link.render(layer.link, texts);
		const [background, lines, size] = this.#labels;
		background.textContent = layer.background;
		lines.textContent = layer.lines;
		size.textContent = layer.size;
		const chosen = this.#background.value;
		const options = Object.entries(layer.backgrounds).map(([value, name]) => new Option(name, value));
		this.#background.replaceChildren(...options);
		this.#background.value = chosen === '' ? 'transparent' : chosen;
	}

	#show(): void {
		if (this.#shared !== null && this.#lines.checkValidity() && this.#size.checkValidity()) {
			const style = {
				background: this.#background.value,
				lines: this.#lines.valueAsNumber,
				sizePercent: this.#size.valueAsNumber,
			};
			this.#link.show(layerUrl(this.#shared, style));
		}
	}
}

/** An address that can be copied and opened. */
class CopyField {
	readonly element = element('div', 'share-field');
	readonly #label = element('label');
	readonly #field = element('input', 'field');
	readonly #copy = element('button');
	readonly #open = element('a');
	#texts: ShareTexts = SHARE_TEXTS.en;

	constructor(id: string) {
		this.#field.id = this.#label.htmlFor = id;
		this.#field.readOnly = true;
		this.#field.addEventListener('focus', () => this.#field.select());
		this.#copy.type = 'button';
		this.#copy.addEventListener('click', () => void this.#copyLink());
		this.#open.target = '_blank';
		this.#open.rel = 'noopener';
		const row = element('div', 'share-row');
		row.append(this.#field, this.#copy, this.#open);
		this.element.append(this.#label, row);
	}

	render(label: string, texts: ShareTexts): void {
		this.#texts = texts;
		this.#label.textContent = label;
		this.#copy.textContent = texts.copy;
		this.#open.textContent = texts.open;
	}

	show(url: string): void {
		this.#field.value = this.#open.href = url;
	}

	async #copyLink(): Promise<void> {
		this.#field.focus();
		try {
			await navigator.clipboard.writeText(this.#field.value);
		} catch {
			return; // not allowed: the text is selected, so that the user can copy it
		}
		setText(this.#copy, this.#texts.copied);
		setTimeout(() => setText(this.#copy, this.#texts.copy), COPIED_MILLISECONDS);
	}
}

function numberField(
	id: string,
	{ min, max, step, value }: Readonly<Record<'min' | 'max' | 'step' | 'value', string>>,
): HTMLInputElement {
	const field = element('input', 'field');
	Object.assign(field, { id, type: 'number', min, max, step, value });
	return field;
}
