/** The main column with a vocabulary: its terms, and what is done with them. */

import type { Vocabulary, VocabularyChange, VocabularyTerm } from '../../src/index.js';
import { element, pressButton, setText } from '../dom.js';
import type { Language } from '../i18n.js';
import { isTooLong, MAX_CHARACTERS, pasted, plain } from './pasted.js';
import { askTerm } from './term-dialog.js';
import type { VocabularyTexts } from './texts.js';

/** More rows are shown only when the user asks for them. */
const MAX_ROWS = 200;
/** Shorter lists have no field to find a term. */
const MIN_FILTERED = 10;

/** What the editor uses of the place around it. */
export interface EditorContext {
	/** Changes the vocabulary, and shows it again; returns whether the server has done it. */
	change(change: VocabularyChange): Promise<boolean>;
	/** Shows that something was removed, which `undo` adds again. */
	removed(text: string, undo: VocabularyChange): void;
	download(): void;
	remove(): void;
}

/** The editor of one vocabulary. */
export class Editor {
	readonly element = element('article', 'vocabulary');
	readonly #title = element('h2', 'recording-title');
	readonly #note = element('p', 'note');
	readonly #status = element('p', 'note');
	readonly #download: HTMLButtonElement;
	readonly #remove: HTMLButtonElement;
	readonly #isDefault = checkbox(isDefault => void this.#context.change({ isDefault }));
	readonly #capitalize = checkbox(capitalize => void this.#context.change({ capitalize }));
	readonly #finalPeriod = checkbox(finalPeriod => void this.#context.change({ finalPeriod }));
	readonly #labels = {
		isDefault: element('span'),
		capitalize: element('span'),
		finalPeriod: element('span'),
		paste: element('span'),
		filter: element('span'),
		order: element('span'),
		from: element('span'),
		to: element('span'),
	};
	readonly #termsTitle = element('h3');
	readonly #paste = element('textarea', 'field');
	readonly #pasteHint = element('p', 'note');
	readonly #problem = element('p', 'notice');
	readonly #add = element('button');
	readonly #filter = element('input', 'field');
	readonly #order = element('select');
	readonly #find = element('div', 'vocabulary-find');
	readonly #terms = element('ul', 'vocabulary-terms');
	readonly #showAll: HTMLButtonElement;
	readonly #noTerms = element('p', 'note');
	readonly #saidHint = element('p', 'note');
	readonly #replacementsTitle = element('h3');
	readonly #replacementsHint = element('p', 'note');
	readonly #from = element('input', 'field');
	readonly #to = element('input', 'field');
	readonly #addReplacement = element('button');
	readonly #replacements = element('ul', 'vocabulary-terms');
	readonly #phrasesTitle = element('summary');
	readonly #context: EditorContext;
	#texts: VocabularyTexts;
	#language: Language;
	#vocabulary: Vocabulary;
	#showsAll = false;

	/**
	 * @param texts - Texts of the editor.
	 * @param language - Their language.
	 * @param vocabulary - The vocabulary.
	 * @param context - The place around it.
	 */
	constructor(texts: VocabularyTexts, language: Language, vocabulary: Vocabulary, context: EditorContext) {
		this.#texts = texts;
		this.#language = language;
		this.#vocabulary = vocabulary;
		this.#context = context;
		this.#title.tabIndex = -1;
		this.#status.setAttribute('role', 'status');
		this.#download = pressButton('small', () => context.download());
		this.#remove = pressButton('small danger', () => context.remove());
		this.#showAll = pressButton('small', () => {
			this.#showsAll = true;
			this.#showTerms();
			this.#terms.querySelectorAll('button')[MAX_ROWS]?.focus(); // this button is hidden now
		});
		this.#order.append(new Option('', 'written'), new Option('', 'recent'));
		for (const [input, event] of [
			[this.#filter, 'input'],
			[this.#order, 'change'],
		] as const) {
			input.addEventListener(event, () => this.#showTerms());
		}
		this.element.append(
			element('div', 'recording-head', this.#title, this.#note),
			element('div', 'tools', this.#download, this.#remove),
			element('label', 'option', this.#isDefault, this.#labels.isDefault),
			this.#termsSection(),
			this.#replacementsSection(),
			this.#phrasesSection(),
		);
		this.render(texts, language);
	}

	/** Its name. */
	get name(): string {
		return this.#vocabulary.name;
	}

	/** Shows another state of the vocabulary. */
	update(vocabulary: Vocabulary): void {
		this.#vocabulary = vocabulary;
		this.#show();
	}

	/** Moves the focus to its title. */
	focus(): void {
		this.#title.focus();
	}

	/** Moves the focus to where terms are added: the one with the focus is gone. */
	focusTerms(): void {
		this.#paste.focus();
	}

	/** Changes the language. */
	render(texts: VocabularyTexts, language: Language): void {
		this.#texts = texts;
		this.#language = language;
		const { terms, replacements, phrases } = texts;
		this.#download.textContent = texts.download;
		this.#remove.textContent = texts.remove;
		this.#labels.isDefault.textContent = texts.isDefault;
		this.#termsTitle.textContent = terms.title;
		this.#labels.paste.textContent = terms.paste;
		this.#pasteHint.textContent = terms.hint;
		this.#add.textContent = terms.add;
		this.#labels.filter.textContent = terms.filter;
		this.#labels.order.textContent = terms.order;
		this.#order.options[0]?.replaceChildren(terms.orders.written);
		this.#order.options[1]?.replaceChildren(terms.orders.recent);
		this.#saidHint.textContent = terms.saidHint;
		this.#replacementsTitle.textContent = replacements.title;
		this.#replacementsHint.textContent = replacements.hint;
		this.#labels.from.textContent = replacements.from;
		this.#labels.to.textContent = replacements.to;
		this.#addReplacement.textContent = replacements.add;
		this.#replacements.setAttribute('aria-label', replacements.list);
		this.#phrasesTitle.textContent = phrases.title;
		this.#labels.capitalize.textContent = phrases.capitalize;
		this.#labels.finalPeriod.textContent = phrases.finalPeriod;
		this.#terms.setAttribute('aria-label', terms.title);
		this.#show();
	}

	#termsSection(): HTMLElement {
		this.#paste.rows = 2;
		this.#paste.spellcheck = false;
		this.#paste.required = true;
		this.#pasteHint.id = 'vocabulary-paste-hint';
		this.#paste.setAttribute('aria-describedby', this.#pasteHint.id);
		this.#problem.dataset['kind'] = 'error';
		this.#problem.setAttribute('role', 'alert');
		this.#problem.hidden = true;
		const form = element(
			'form',
			'vocabulary-add',
			element('label', 'choice', this.#labels.paste, this.#paste),
			this.#add,
			this.#pasteHint,
			this.#problem,
		);
		form.addEventListener('submit', event => {
			event.preventDefault();
			void this.#addPasted();
		});
		this.#filter.type = 'search';
		this.#find.append(
			element('label', 'choice', this.#labels.filter, this.#filter),
			element('label', 'choice', this.#labels.order, this.#order),
		);
		return element(
			'section',
			'vocabulary-part',
			this.#termsTitle,
			form,
			this.#status,
			this.#find,
			this.#noTerms,
			this.#terms,
			this.#showAll,
			this.#saidHint,
		);
	}

	#replacementsSection(): HTMLElement {
		for (const input of [this.#from, this.#to]) {
			input.maxLength = MAX_CHARACTERS;
			input.autocomplete = 'off';
		}
		this.#from.required = true;
		const form = element(
			'form',
			'vocabulary-add',
			element('label', 'choice', this.#labels.from, this.#from),
			element('label', 'choice', this.#labels.to, this.#to),
			this.#addReplacement,
		);
		form.addEventListener('submit', event => {
			event.preventDefault();
			void this.#addOne();
		});
		return element(
			'section',
			'vocabulary-part',
			this.#replacementsTitle,
			this.#replacementsHint,
			form,
			this.#replacements,
		);
	}

	#phrasesSection(): HTMLElement {
		return element(
			'details',
			'vocabulary-part',
			this.#phrasesTitle,
			element('label', 'option', this.#capitalize, this.#labels.capitalize),
			element('label', 'option', this.#finalPeriod, this.#labels.finalPeriod),
		);
	}

	async #addPasted(): Promise<void> {
		const added = pasted(this.#paste.value);
		const isLong = isTooLong(added);
		this.#problem.hidden = !isLong;
		this.#problem.textContent = isLong ? this.#texts.problems.tooLong : '';
		const { terms, replacements } = added;
		if (isLong || terms.length + replacements.length === 0) {
			return;
		}
		if (await this.#context.change({ add: terms, addReplacements: replacements })) {
			this.#paste.value = '';
			setText(this.#status, this.#texts.added(terms.length + replacements.length));
		}
	}

	async #addOne(): Promise<void> {
		const from = plain(this.#from.value);
		if (from === '') {
			return;
		}
		const replacement = { from, to: plain(this.#to.value) };
		if (await this.#context.change({ addReplacements: [replacement] })) {
			this.#from.value = this.#to.value = '';
			this.#from.focus();
		}
	}

	async #changeTerm(term: VocabularyTerm): Promise<void> {
		const changed = await askTerm(this.#texts, this.#texts.term.title(term.term), term);
		if (changed === null) {
			return;
		}
		if (changed === 'remove') {
			if (await this.#context.change({ remove: [term.term] })) {
				this.#context.removed(term.term, { add: [term] });
			}
			return;
		}
		const isSame = changed.term.toLowerCase() === term.term.toLowerCase();
		await this.#context.change({ add: [changed], ...(isSame ? {} : { remove: [term.term] }) });
		this.#buttonOf(changed.term)?.focus();
	}

	#buttonOf(term: string): HTMLElement | undefined {
		const buttons = [...this.#terms.querySelectorAll('button')];
		return buttons.find(({ dataset }) => dataset['term'] === term);
	}

	#show(): void {
		const { name, terms, recentTerms, isDefault, replacements } = this.#vocabulary;
		const { list } = this.#texts;
		setText(this.#title, name);
		const changed = new Intl.DateTimeFormat(this.#language, { dateStyle: 'medium', timeStyle: 'short' });
		const parts = [list.terms(terms.length), changed.format(1000 * this.#vocabulary.changedAt)];
		setText(this.#note, [...parts, ...(isDefault ? [list.usual] : [])].join(' · '));
		this.#isDefault.checked = isDefault;
		this.#capitalize.checked = this.#vocabulary.capitalize;
		this.#finalPeriod.checked = this.#vocabulary.finalPeriod;
		this.#find.hidden = terms.length < MIN_FILTERED;
		this.#saidHint.hidden = recentTerms.length === 0;
		this.#showTerms();
		this.#replacements.hidden = replacements.length === 0;
		this.#replacements.replaceChildren(...replacements.map(each => this.#replacementRow(each.from, each.to)));
	}

	#showTerms(): void {
		const { terms, recentTerms } = this.#vocabulary;
		const { none, noMatch, showAll } = this.#texts.terms;
		const places = new Map(recentTerms.map(({ term }, index) => [term, index]));
		const query = this.#find.hidden ? '' : plain(this.#filter.value).toLowerCase();
		const found = terms.filter(({ term, soundsLike }) =>
			[term, ...soundsLike].some(text => text.toLowerCase().includes(query)),
		);
		if (this.#order.value === 'recent' && !this.#find.hidden) {
			const placeOf = ({ term }: VocabularyTerm): number => places.get(term) ?? places.size;
			found.sort((one, other) => placeOf(one) - placeOf(other));
		}
		const shown = this.#showsAll ? found : found.slice(0, MAX_ROWS);
		const focused =
			document.activeElement instanceof HTMLElement ? document.activeElement.dataset['term'] : '';
		this.#terms.replaceChildren(...shown.map(term => this.#termRow(term)));
		if (focused !== undefined && focused !== '' && document.activeElement === document.body) {
			this.#buttonOf(focused)?.focus();
		}
		this.#terms.hidden = shown.length === 0;
		this.#noTerms.hidden = shown.length > 0;
		setText(this.#noTerms, terms.length === 0 ? none : noMatch);
		this.#showAll.hidden = shown.length === found.length;
		setText(this.#showAll, showAll(found.length));
	}

	#termRow(term: VocabularyTerm): HTMLElement {
		const { change, said } = this.#texts.terms;
		const button = pressButton('vocabulary-term', () => void this.#changeTerm(term));
		button.dataset['term'] = term.term;
		button.title = change(term.term);
		button.append(element('span', 'row-title', term.term));
		if (term.soundsLike.length > 0) {
			button.append(element('span', 'row-note', term.soundsLike.join(' · ')));
		}
		const recent = this.#vocabulary.recentTerms.find(each => each.term === term.term);
		const row = element('li', '', button);
		if (recent !== undefined) {
			row.append(element('span', 'row-note said', said(recent.count, this.#ago(recent.lastAt))));
		}
		return row;
	}

	#replacementRow(from: string, to: string): HTMLElement {
		const { nothing, remove } = this.#texts.replacements;
		const button = pressButton('small', () => {
			void this.#context.change({ removeReplacements: [from] }).then(isDone => {
				if (isDone) {
					this.#context.removed(`${from} → ${to}`, { addReplacements: [{ from, to }] });
				}
			});
		});
		button.textContent = '×';
		button.setAttribute('aria-label', remove(from));
		button.title = remove(from);
		return element('li', '', element('span', 'row-title', `${from} → ${to === '' ? nothing : to}`), button);
	}

	/** Returns how long ago a time is, in Unix seconds. */
	#ago(at: number): string {
		const format = new Intl.RelativeTimeFormat(this.#language, { numeric: 'auto' });
		const minutes = Math.max(0, Math.round((Date.now() / 1000 - at) / 60));
		const hours = Math.round(minutes / 60);
		if (minutes < 60) {
			return format.format(-minutes, 'minute');
		}
		return hours < 24 ? format.format(-hours, 'hour') : format.format(-Math.round(hours / 24), 'day');
	}
}

function checkbox(changed: (isChecked: boolean) => void): HTMLInputElement {
	const box = element('input');
	box.type = 'checkbox';
	box.addEventListener('change', () => changed(box.checked));
	return box;
}
