/** Texts for known voices, in each language. */

const english = {
	remember: 'Remember this voice',
	consent:
		'The server then names this person in later recordings. A voice is biometric data: store it only if the person has agreed.',
	needsName: 'Enter the name of this person.',
	list: (count: number): string => `Known voices (${count})`,
	hint: 'The server names these people where speakers are requested. It stores no recordings of them.',
	remove: 'Delete',
	removeNamed: (name: string): string => `Delete the voice of ${name}`,
	confirm: (name: string): string =>
		`Delete the voice of ${name}? The name disappears from transcripts of the server that have it by the voice.`,
};

type VoiceTexts = typeof english;

const chinese: VoiceTexts = {
	remember: '记住这个声音',
	consent: '服务器以后会在录音中标出此人的名字。声音属于生物识别数据：须经本人同意方可保存。',
	needsName: '请输入此人的名字。',
	list: count => `已知的声音（${count}）`,
	hint: '需要区分发言人时，服务器会标出这些人的名字。服务器不保存他们的录音。',
	remove: '删除',
	removeNamed: name => `删除 ${name} 的声音`,
	confirm: name => `删除 ${name} 的声音？服务器的转写中由声音得出的这个名字也会消失。`,
};

export const VOICE_TEXTS = { en: english, zh: chinese } as const;
