/** The place of vocabularies: a list, and beside it the vocabulary that the address names, or the form for a new one. */

import {
	ApiError,
	type Client,
	type Vocabulary,
	type VocabularyChange,
	type VocabularySummary,
} from '../../src/index.js';
import { problem, type Sentence } from '../caption-texts.js';
import columnStyles from '../columns.css?inline';
import { byId, element, pressButton } from '../dom.js';
import type { Language } from '../i18n.js';
import { asksForKey, type Key } from '../key.js';
import { adoptStyles } from '../late-styles.js';
import { fragmentOf } from '../place.js';
import { saveFile } from '../save-file.js';
import { clientOf } from '../server-client.js';
import { Editor } from './editor.js';
import { FreshView } from './fresh-view.js';
import { VOCABULARY_TEXTS, type VocabularyTexts } from './texts.js';
import { UndoBar } from './undo-bar.js';
import styles from './vocabularies.css?inline';

/** What the place uses of the page around it. */
export interface Surroundings {
	readonly key: Key;
	readonly showProblem: (sentence: Sentence | null) => void;
	/** Goes to a vocabulary; `null`: to the list. */
	readonly go: (name: string | null) => void;
	/** The vocabularies of the key have changed. */
	readonly changed: () => void;
}

/** Why there is nothing to edit. */
type Absence = 'missing' | 'unavailable' | 'unreachable';

/** The place; one for the page. */
export class VocabulariesPlace {
	readonly #page: Surroundings;
	readonly #place = byId('vocabularies', HTMLElement);
	readonly #list = element('nav', 'column-list');
	readonly #newLink = element('a', 'button fresh');
	readonly #rows = element('ul', 'vocabulary-rows');
	readonly #none = element('p', 'note');
	readonly #back = element('a', 'back');
	readonly #main = element('div', 'column-main card');
	readonly #fresh: FreshView;
	readonly #undo: UndoBar;
	#texts: VocabularyTexts;
	#language: Language;
	#listed: readonly VocabularySummary[] = [];
	#shown: Editor | null = null;
	#absence: Absence | null = null;
	#name: string | null = null;
	#isShown = false;

	/**
	 * @param language - Language of its texts.
	 * @param page - The page around it.
	 */
	constructor(language: Language, page: Surroundings) {
		this.#page = page;
		this.#language = language;
		this.#texts = VOCABULARY_TEXTS[language];
		this.#fresh = new FreshView(this.#texts, (name, change) => void this.#create(name, change));
		this.#undo = new UndoBar(this.#texts);
		[columnStyles, styles].forEach(adoptStyles);
		this.#newLink.href = this.#back.href = fragmentOf({ name: 'vocabularies', id: null });
		this.#list.append(this.#newLink, this.#none, this.#rows);
		this.#place.append(
			element('div', 'columns', this.#list, element('div', '', this.#back, this.#main)),
			this.#undo.element,
		);
		this.render(language);
	}

	/** Changes the language. */
	render(language: Language): void {
		this.#language = language;
		this.#texts = VOCABULARY_TEXTS[language];
		this.#list.setAttribute('aria-label', this.#texts.list.label);
		this.#newLink.textContent = this.#texts.fresh.link;
		this.#none.textContent = this.#texts.list.none;
		this.#back.textContent = `← ${this.#texts.back}`;
		this.#fresh.render(this.#texts);
		this.#undo.render(this.#texts);
		this.#shown?.render(this.#texts, language);
		this.#showList();
		if (this.#absence !== null) {
			this.#showAbsence(this.#absence);
		}
	}

	/** Shows a vocabulary; `null`: the form for a new one. */
	async show(name: string | null): Promise<void> {
		const isNew = name !== this.#name || !this.#isShown;
		this.#name = name;
		if (isNew) {
			this.#undo.show(null);
		}
		await this.#load(isNew);
	}

	get #client(): Client {
		return clientOf(this.#page.key.value);
	}

	/** Reads the list and the vocabulary of the address; `isNew`: another one than before. */
	async #load(isNew: boolean): Promise<void> {
		const name = this.#name;
		try {
			const [listed, vocabulary] = await Promise.all([
				this.#client.vocabularies.list(),
				name === null ? null : this.#found(name),
			]);
			if (name !== this.#name) {
				return; // the user has gone on
			}
			this.#listed = listed;
			this.#page.showProblem(null);
			this.#showMain(vocabulary, isNew);
		} catch (error) {
			if (name === this.#name) {
				this.#showFailure(error);
			}
		}
		this.#showList();
	}

	async #found(name: string): Promise<Vocabulary | null> {
		try {
			return await this.#client.vocabularies.get(name);
		} catch (error) {
			if (error instanceof ApiError && /^(not_found|bad_request)$/.test(error.code)) {
				return null; // the list says whether the server has vocabularies at all
			}
			throw error;
		}
	}

	#showMain(vocabulary: Vocabulary | null, isNew: boolean): void {
		this.#place.classList.toggle('has-shown', this.#name !== null);
		const hadFocus = this.#place.contains(document.activeElement);
		this.#absence = null;
		if (vocabulary !== null && this.#shown?.name === vocabulary.name && !isNew) {
			this.#shown.update(vocabulary);
			return;
		}
		const wasFresh = this.#isShown && !isNew;
		this.#isShown = true;
		this.#shown = vocabulary === null ? null : this.#editor(vocabulary);
		if (this.#shown !== null) {
			this.#main.replaceChildren(this.#shown.element);
		} else if (this.#name !== null) {
			this.#showAbsence('missing');
		} else if (!wasFresh || this.#fresh.element.parentElement === null) {
			this.#fresh.reset(this.#listed);
			this.#main.replaceChildren(this.#fresh.element);
		}
		if (hadFocus && isNew) {
			(this.#shown ?? this.#fresh).focus();
		}
	}

	#editor(vocabulary: Vocabulary): Editor {
		const { name } = vocabulary;
		return new Editor(this.#texts, this.#language, vocabulary, {
			change: change => this.#change(name, change),
			removed: (text, change) => {
				const undo = async (): Promise<void> => {
					if (await this.#change(name, change)) {
						this.#shown?.focusTerms();
					}
				};
				this.#undo.show({ text, isVocabulary: false, undo });
				this.#undo.focus();
			},
			download: () => void this.#download(name),
			remove: () => void this.#remove(),
		});
	}

	#showFailure(error: unknown): void {
		const code = error instanceof ApiError ? error.code : 'internal';
		if (asksForKey(code)) {
			this.#page.showProblem(this.#page.key.ask(code, () => void this.#load(true)));
		}
		this.#place.classList.toggle('has-shown', this.#name !== null);
		this.#shown = null;
		this.#isShown = false;
		this.#showAbsence(code === 'not_found' ? 'unavailable' : 'unreachable');
	}

	#showAbsence(absence: Absence): void {
		this.#absence = absence;
		const note = element('p', 'note', this.#texts[absence]);
		if (absence !== 'unreachable') {
			this.#main.replaceChildren(note);
			return;
		}
		const again = pressButton('small', () => void this.#load(true));
		again.textContent = this.#texts.again;
		this.#main.replaceChildren(element('div', 'vocabulary', note, element('div', 'tools', again)));
	}

	#showList(): void {
		mark(this.#newLink, this.#name === null);
		this.#none.hidden = this.#listed.length > 0 || this.#absence !== null;
		this.#newLink.hidden = this.#absence === 'unavailable';
		const { terms, usual } = this.#texts.list;
		const focused = document.activeElement;
		const address =
			focused instanceof HTMLAnchorElement && this.#rows.contains(focused) ? focused.href : null;
		const rows = this.#listed.map(({ name, termCount, isDefault }) => {
			const note = [terms(termCount), ...(isDefault ? [usual] : [])].join(' · ');
			const row = element('a', 'row', element('span', 'row-title', name), element('span', 'row-note', note));
			row.href = fragmentOf({ name: 'vocabularies', id: name });
			mark(row, name === this.#name);
			return row;
		});
		this.#rows.replaceChildren(...rows.map(row => element('li', '', row)));
		if (address !== null) {
			rows.find(({ href }) => href === address)?.focus();
		}
	}

	async #create(name: string, change: VocabularyChange): Promise<void> {
		if (await this.#change(name, change)) {
			this.#page.go(name);
		}
	}

	/** Changes a vocabulary; returns whether the server has done it. */
	async #change(name: string, change: VocabularyChange): Promise<boolean> {
		this.#undo.show(null);
		const changed = await this.#attempt(() => this.#client.vocabularies.change(name, change));
		if (changed === null) {
			await this.#load(false); // a switch goes back
			return false;
		}
		if (this.#shown?.name === name) {
			this.#shown.update(changed);
		}
		await this.#refreshList();
		return true;
	}

	async #remove(): Promise<void> {
		const name = this.#shown?.name ?? '';
		const before = await this.#attempt(async () => {
			const vocabulary = await this.#client.vocabularies.get(name);
			await this.#client.vocabularies.delete(name);
			return vocabulary;
		});
		if (before === null) {
			return;
		}
		this.#listed = this.#listed.filter(each => each.name !== name);
		this.#page.changed();
		this.#page.go(null);
		this.#name = null; // so that going there leaves the bar
		await this.#load(true);
		const undo = async (): Promise<void> => {
			this.#undo.show(null);
			if ((await this.#attempt(() => this.#client.vocabularies.store(name, before))) !== null) {
				this.#page.changed();
				this.#page.go(name);
			}
		};
		this.#undo.show({ text: name, isVocabulary: true, undo });
		this.#undo.focus();
	}

	async #download(name: string): Promise<void> {
		const csv = await this.#attempt(() => this.#client.vocabularies.csv(name));
		if (csv !== null) {
			saveFile(new Blob([csv], { type: 'text/csv;charset=utf-8' }), `${name}.csv`);
		}
	}

	async #refreshList(): Promise<void> {
		const listed = await this.#attempt(() => this.#client.vocabularies.list());
		this.#listed = listed ?? this.#listed;
		this.#showList();
		this.#page.changed();
	}

	/** Returns the result of requests; `null` if one fails, which is shown. */
	async #attempt<T>(request: () => Promise<T>): Promise<T | null> {
		try {
			const result = await request();
			this.#page.showProblem(null);
			return result;
		} catch (error) {
			const code = error instanceof ApiError ? error.code : 'internal';
			const { refused } = this.#texts.problems;
			const sentence =
				code === 'bad_request' ? () => refused : problem(code === 'unreachable' ? 'offline' : code);
			this.#page.showProblem(sentence);
			return null;
		}
	}
}

function mark(link: HTMLElement, isCurrent: boolean): void {
	if (isCurrent) {
		link.setAttribute('aria-current', 'true');
	} else {
		link.removeAttribute('aria-current');
	}
}
