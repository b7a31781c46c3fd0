/** Texts for changes of paragraphs, brief speakers and deletions, in each language. */

const english = {
	paragraph: {
		change: (time: string): string => `Change the paragraph at ${time}`,
		title: (time: string): string => `Paragraph at ${time}`,
		speaker: 'Speaker',
		unknown: 'Unknown',
		newSpeaker: 'New speaker',
		split: 'Split',
		splitHint: 'Choose the word that starts a new paragraph. The speaker above is then that of the new one.',
		words: 'First word of the new paragraph',
		join: 'Join with the one before',
		save: 'Save',
		cancel: 'Cancel',
		keys: 'Ctrl+Enter starts a paragraph at the cursor, Backspace at its beginning joins it with the one before.',
	},
	brief: {
		summary: (count: number): string => (count === 1 ? '1 brief speaker' : `${count} brief speakers`),
		hint: 'Under 2% of the speech and under 3 s: often a sound, or half a word of somebody else.',
		fold: 'Give their words to the speakers next to them',
	},
	deletion: {
		label: 'Deleted transcripts',
		deleted: (name: string): string => `“${name}” is deleted.`,
		deletedAll: (count: number): string =>
			count === 1 ? '1 transcript is deleted.' : `${count} transcripts are deleted.`,
		undo: 'Undo',
		undoNamed: (name: string): string => `Undo the deletion of “${name}”`,
		undoAll: 'Undo the deletion of all',
	},
};

type EditTexts = typeof english;

const chinese: EditTexts = {
	paragraph: {
		change: time => `更改 ${time} 处的段落`,
		title: time => `${time} 处的段落`,
		speaker: '发言人',
		unknown: '未知',
		newSpeaker: '新的发言人',
		split: '拆分',
		splitHint: '选择新段落的第一个词。上面的发言人即为新段落的发言人。',
		words: '新段落的第一个词',
		join: '与上一段合并',
		save: '保存',
		cancel: '取消',
		keys: 'Ctrl+回车键在光标处另起一段；在段首按退格键与上一段合并。',
	},
	brief: {
		summary: count => `${count} 位简短发言人`,
		hint: '发言不足 2% 且少于 3 秒：常是杂音，或他人的半个词。',
		fold: '将其话语归入相邻的发言人',
	},
	deletion: {
		label: '已删除的转写',
		deleted: name => `已删除“${name}”。`,
		deletedAll: count => `已删除 ${count} 份转写。`,
		undo: '撤销',
		undoNamed: name => `撤销删除“${name}”`,
		undoAll: '撤销全部删除',
	},
};

export const EDIT_TEXTS = { en: english, zh: chinese } as const;
