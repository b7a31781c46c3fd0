/**
 * Writes a transcript as a Word document (Office Open XML, ECMA-376): a title, a note, and paragraphs with their time,
 * speaker and text. Pure.
 *
 * Five small parts in a ZIP file are all that Word, LibreOffice and Google Docs need; see docs/decisions/112.
 */

import { strToU8, zipSync } from 'fflate';

/** A paragraph of a document. */
export interface DocxParagraph {
	readonly time: string;
	/** `null`: unknown, or the same as in the paragraph before. */
	readonly speaker: string | null;
	readonly text: string;
	/** Whether it describes missing speech. */
	readonly isGap: boolean;
}

/** The content of a document. */
export interface DocxContent {
	readonly title: string;
	/** Date, duration and the like, below the title. */
	readonly note: string;
	/** Language code of the text, for the spelling checker. */
	readonly language: string | null;
	readonly paragraphs: readonly DocxParagraph[];
}

export const DOCX_MEDIA_TYPE = 'application/vnd.openxmlformats-officedocument.wordprocessingml.document';

const XML = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>';
const SCHEMAS = 'http://schemas.openxmlformats.org';
const WORD = `xmlns:w="${SCHEMAS}/wordprocessingml/2006/main"`;
const RELATIONS = `xmlns="${SCHEMAS}/package/2006/relationships"`;
const OFFICE = `${SCHEMAS}/officeDocument/2006/relationships`;
const TYPE = 'application/vnd.openxmlformats-officedocument.wordprocessingml';
/** XML 1.0 §2.2: characters that no document may have. */
const FORBIDDEN = /[^\t\n\r\u{20}-\u{d7ff}\u{e000}-\u{fffd}\u{10000}-\u{10ffff}]/gu;

/** Returns the file. */
export function docx(content: DocxContent): Uint8Array<ArrayBuffer> {
	const parts = {
		'[Content_Types].xml':
			`<Types xmlns="${SCHEMAS}/package/2006/content-types">` +
			'<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>' +
			`<Override PartName="/word/document.xml" ContentType="${TYPE}.document.main+xml"/>` +
			`<Override PartName="/word/styles.xml" ContentType="${TYPE}.styles+xml"/></Types>`,
		'_rels/.rels': relations('officeDocument', 'word/document.xml'),
		'word/_rels/document.xml.rels': relations('styles', 'styles.xml'),
		'word/styles.xml': STYLES,
		'word/document.xml': documentPart(content),
	};
	const files = Object.entries(parts).map(([name, part]) => [name, strToU8(XML + part)]);
	return zipSync(Object.fromEntries(files) as Record<string, Uint8Array>);
}

function relations(type: string, target: string): string {
	const relation = `<Relationship Id="r1" Type="${OFFICE}/${type}" Target="${target}"/>`;
	return `<Relationships ${RELATIONS}>${relation}</Relationships>`;
}

/** Sizes are half points, distances twentieths of a point; A4 with margins of 2.5 cm. */
function documentPart({ title, note, language, paragraphs }: DocxContent): string {
	const spelling = language === null ? '' : `<w:lang w:val="${escaped(language)}"/>`;
	const body = paragraphs.map(({ time, speaker, text, isGap }) =>
		paragraph(
			null,
			run(`${time}\t`, style('Time')),
			speaker === null ? '' : run(`${speaker}: `, '<w:b/>'),
			run(text, isGap ? `<w:i/>${spelling}` : spelling),
		),
	);
	const page =
		'<w:sectPr><w:pgSz w:w="11906" w:h="16838"/>' +
		'<w:pgMar w:top="1418" w:right="1418" w:bottom="1418" w:left="1418" w:header="709" w:footer="709" w:gutter="0"/>' +
		'</w:sectPr>';
	const head = paragraph('Title', run(title, '')) + paragraph('Subtitle', run(note, ''));
	return `<w:document ${WORD}><w:body>${head}${body.join('')}${page}</w:body></w:document>`;
}

function paragraph(styleName: string | null, ...runs: string[]): string {
	const properties = styleName === null ? '' : `<w:pPr><w:pStyle w:val="${styleName}"/></w:pPr>`;
	return `<w:p>${properties}${runs.join('')}</w:p>`;
}

function run(text: string, properties: string): string {
	const [start, ...others] = text.split('\t').map(part => `<w:t xml:space="preserve">${escaped(part)}</w:t>`);
	return `<w:r><w:rPr>${properties}</w:rPr>${[start, ...others].join('<w:tab/>')}</w:r>`;
}

function style(name: string): string {
	return `<w:rStyle w:val="${name}"/>`;
}

function escaped(text: string): string {
	return text
		.replace(FORBIDDEN, '')
		.replaceAll('&', '&amp;')
		.replaceAll('<', '&lt;')
		.replaceAll('>', '&gt;')
		.replaceAll('"', '&quot;');
}

const STYLES =
	`<w:styles ${WORD}><w:docDefaults><w:rPrDefault><w:rPr><w:sz w:val="22"/></w:rPr></w:rPrDefault>` +
	'<w:pPrDefault><w:pPr><w:spacing w:after="120" w:line="276" w:lineRule="auto"/></w:pPr></w:pPrDefault></w:docDefaults>' +
	'<w:style w:type="paragraph" w:default="1" w:styleId="Normal"><w:name w:val="Normal"/><w:pPr>' +
	'<w:tabs><w:tab w:val="left" w:pos="964"/></w:tabs><w:ind w:left="964" w:hanging="964"/></w:pPr></w:style>' +
	'<w:style w:type="paragraph" w:styleId="Title"><w:name w:val="Title"/><w:pPr><w:spacing w:after="60"/>' +
	'<w:ind w:left="0" w:firstLine="0"/></w:pPr><w:rPr><w:b/><w:sz w:val="36"/></w:rPr></w:style>' +
	'<w:style w:type="paragraph" w:styleId="Subtitle"><w:name w:val="Subtitle"/><w:pPr><w:spacing w:after="360"/>' +
	'<w:ind w:left="0" w:firstLine="0"/></w:pPr><w:rPr><w:color w:val="595F69"/></w:rPr></w:style>' +
	'<w:style w:type="character" w:styleId="Time"><w:name w:val="Time"/>' +
	'<w:rPr><w:color w:val="595F69"/><w:sz w:val="18"/></w:rPr></w:style></w:styles>';
