// Searches the documentation; the worker of the site's search dialog (see search.py).
//
// A section is found by any word of the question, and ranked by how rare the words are that it has
// (BM25), where they are, and how much of the question they cover. A page's synonyms count as its
// title. Messages as in Zensical 0.0.73: 0 has the index, 1 is its acknowledgement, 2 a question
// or the next page of its results, 3 its results, 4 a failure.
'use strict';

const PAGE_SIZE = 10;
const WEIGHTS = { title: 3, page: 2, path: 1, text: 1 };
const SAME_PAGE = 0.8; // of each further section, so that ten results are not all of one page
const PREFIX = 0.5; // of a word's weight, for words that begin with it
const SIMILAR = 0.3; // for words with a typing error
const COMMON = new Set(
	`a about am an and any are as at be by can could do does for from get has have how i if in into is it its me my
	not of on or our so some than that the their there this to up want was we what when where which who why will with you
	your`.split(/\s+/),
);

let separator, sections, terms, averageLength;
const stems = new Map();
let last = { id: 0, found: [] };

self.onmessage = ({ data: { type, data } }) => {
	try {
		if (type === 0) {
			build(data);
			self.postMessage({ type: 1 });
		} else if (type === 2) {
			self.postMessage({ type: 3, data: answer(data) });
		}
	} catch {
		self.postMessage({ type: 4 });
	}
};

/** Reads the sections of `search.json`. */
function build({ config, items }) {
	separator = new RegExp(config.separator, 'gu');
	terms = new Map(); // stem -> section -> field -> positions
	sections = items.map(({ location, boost = 1 }) => ({ page: location.split('#')[0], boost, length: 0 }));
	const names = new Map(); // of pages: titles and synonyms
	for (const { location, title, synonyms = '' } of items) {
		if (!location.includes('#')) {
			names.set(location, [title, synonyms]);
		}
	}
	items.forEach((item, id) => {
		const isStart = !item.location.includes('#');
		const [title, synonyms] = names.get(sections[id].page) ?? ['', ''];
		const texts = { title: item.title, text: item.text, path: item.path, page: isStart ? synonyms : [title, synonyms] };
		for (const field of Object.keys(WEIGHTS)) {
			for (const { stem, start, end } of wordsOf(texts[field])) {
				const found = entry(entry(terms, stem, () => new Map()), id, () => ({}));
				(found[field] ??= []).push({ start, end });
				sections[id].length += field === 'text';
			}
		}
	});
	averageLength = sections.reduce((sum, { length }) => sum + length, 0) / sections.length;
}

function entry(map, key, made) {
	if (!map.has(key)) {
		map.set(key, made());
	}
	return map.get(key);
}

/** Returns the words of a text in HTML, or of several texts as if they were one, with their positions in it. */
function wordsOf(text) {
	const words = [];
	let base = 0;
	for (const part of [text ?? ''].flat()) {
		for (const { 0: run, index } of part.matchAll(/(?<=^|>)[^<]+/g)) {
			let start = 0;
			for (const { 0: gap, index: end } of [...run.matchAll(separator), { 0: '', index: run.length }]) {
				const stem = stemOf(run.slice(start, end));
				if (stem) {
					words.push({ stem, start: base + index + start, end: base + index + end });
				}
				start = end + gap.length;
			}
		}
		base += part.length;
	}
	return words;
}

/** Returns a word without its usual English endings: `installing`, `installed` and `installs` have one stem. */
function stemOf(word) {
	return entry(stems, word, () => withoutEnding(word));
}

function withoutEnding(word) {
	const plain = word.normalize('NFKD').toLowerCase().replace(/^[^\p{L}\p{N}]+|[^\p{L}\p{N}+#]+$/gu, '').replace(/['’]s?$/, '');
	if (COMMON.has(plain) || !/^\p{L}{4,}$/u.test(plain)) {
		return plain;
	}
	return plain
		.replace(/(?<=..)ies$/, 'y')
		.replace(/(?<=[^su])s$/, '')
		.replace(/(?<=...)(ing|ed)$/, '')
		.replace(/(?<=...)e$/, '')
		.replace(/([bdgmnprt])\1$/, '$1')
		.replace(/iz$/, 'is');
}

/** Returns a page of results, as the dialog expects it. */
function answer({ input, page }) {
	if (page === undefined || page.id !== last.id) {
		last = { id: last.id + 1, found: typeof input === 'string' ? search(input) : [] };
		page = { id: last.id, from: 0 };
	}
	const { id, from } = page;
	const total = last.found.length;
	const at = where => ({ id, size: PAGE_SIZE, from: where });
	const pagination = {
		total,
		prev: from ? at(from - PAGE_SIZE) : undefined,
		next: from + PAGE_SIZE < total ? at(from + PAGE_SIZE) : undefined,
	};
	return { items: last.found.slice(from, from + PAGE_SIZE), pagination, aggregations: [] };
}

/** Returns the sections that have any word of a question, the best first. */
function search(input) {
	const typed = wordsOf(input.replace(/[<>]/g, ' ')).map(({ stem }) => stem);
	const wanted = typed.filter(stem => !COMMON.has(stem));
	const questions = (wanted.length ? wanted : typed).map(stem => expand(stem));
	const weights = questions.map(words => rarity(words));
	const asked = weights.reduce((sum, weight) => sum + weight, 0);
	const scored = sections.map((section, id) => {
		let score = 0;
		let covered = 0;
		const positions = {};
		questions.forEach((words, i) => {
			let best = 0;
			for (const [stem, share] of words) {
				const found = terms.get(stem).get(id);
				if (found) {
					best = Math.max(best, share * relevance(found, section));
					for (const field of ['title', 'text', 'path']) {
						(positions[field] ??= []).push(...(found[field] ?? []));
					}
				}
			}
			score += weights[i] * best;
			covered += best && weights[i];
		});
		return { id, score: (score * section.boost * covered) / asked, positions };
	});
	return diverse(scored.filter(({ score }) => score > 0).sort((a, b) => b.score - a.score));
}

/** Returns the indexed words that a word of a question stands for, each with its share of the weight. */
function expand(stem) {
	const words = new Map();
	for (const term of terms.keys()) {
		if (term.startsWith(stem)) {
			words.set(term, term === stem ? 1 : PREFIX);
		}
	}
	if (!words.size && stem.length > 3) {
		for (const term of terms.keys()) {
			if (isSimilar(term, stem)) {
				words.set(term, SIMILAR);
			}
		}
	}
	return words;
}

/** Returns whether one change, one more or one less character, or an exchange of two makes one word the other. */
function isSimilar(a, b) {
	if (Math.abs(a.length - b.length) > 1) {
		return false;
	}
	let start = 0;
	while (start < a.length && a[start] === b[start]) {
		start++;
	}
	const rest = (word, skipped) => word.slice(start + skipped);
	return (
		rest(a, 1) === rest(b, 1) || rest(a, 1) === rest(b, 0) || rest(a, 0) === rest(b, 1) ||
		(a[start] === b[start + 1] && a[start + 1] === b[start] && rest(a, 2) === rest(b, 2))
	);
}

/** Returns BM25's weight of a word: the fewer sections have it, the more it says. */
function rarity(words) {
	const having = new Set([...words.keys()].flatMap(stem => [...terms.get(stem).keys()]));
	return Math.log(1 + (sections.length - having.size + 0.5) / (having.size + 0.5));
}

function relevance(found, { length }) {
	let sum = 0;
	for (const [field, weight] of Object.entries(WEIGHTS)) {
		const count = found[field]?.length ?? 0;
		const usual = field === 'text' ? 0.3 + (0.7 * length) / averageLength : 1;
		sum += (weight * count * 2.2) / (count + 1.2 * usual);
	}
	return sum;
}

/** Returns the results with fewer sections of one page in a row, each in the form that the dialog shows. */
function diverse(scored) {
	const pages = new Map();
	for (const result of scored) {
		const { page } = sections[result.id];
		result.score *= SAME_PAGE ** (pages.get(page) ?? 0);
		pages.set(page, (pages.get(page) ?? 0) + 1);
	}
	scored.sort((a, b) => b.score - a.score);
	return scored.map(({ id, score, positions }) => ({
		id,
		score,
		matches: Object.entries(positions).map(([field, ranges]) => ({
			field,
			value: {
				highlight: {
					ranges: ranges
						.sort((a, b) => a.start - b.start)
						.map(({ start, end }) => ({ start, end, value: end - start })),
				},
			},
		})),
	}));
}
