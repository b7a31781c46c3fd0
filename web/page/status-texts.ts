/** Texts of the status page, in each language. */

import type { JobCounts, WorkerExit } from './status-data.js';

/** All its texts. */
export interface StatusTexts {
	readonly nav: Readonly<Record<'label' | 'skip' | 'live' | 'recordings' | 'status' | 'help', string>>;
	readonly title: string;
	readonly asking: string;
	readonly states: Readonly<Record<'ok' | 'degraded' | 'down', string>>;
	readonly away: (since: string) => string;
	readonly about: (version: string, model: string, since: string) => string;
	readonly lately: string;
	readonly begin: (minutes: number) => string;
	readonly now: string;
	readonly noFigures: string;
	readonly cards: {
		readonly workers: Card<{ ready: number; all: number; crashes: number }>;
		readonly queue: Card<{ seconds: string; bound: string; peak: string }>;
		readonly sessions: Card<{ connected: number; waiting: number; peak: number }>;
		readonly delays: Card<{ p50: string; p95: string; peak: string } | null>;
		readonly jobs: Card<{ lately: number; retried: number }>;
		readonly refusals: Card<{ count: number; lately: number; byClients: number }>;
		readonly cpu: Card<{ percent: string; cores: number; peak: string } | null>;
		readonly memory: Card<{ used: string; all: string; peak: string } | null>;
	};
	/** Units of the scales. */
	readonly units: {
		readonly count: (value: number) => string;
		readonly seconds: (value: number) => string;
		readonly percent: (value: number) => string;
		readonly gigabytes: (value: string) => string;
	};
	readonly table: {
		readonly open: string;
		readonly columns: readonly string[];
	};
	readonly live: {
		readonly title: string;
		readonly tiles: Readonly<Record<'speakers' | 'capacity' | 'late' | 'waiting', string>>;
		readonly capacity: (people: number, source: 'set' | 'learned' | 'unknown') => string;
		readonly late: string;
		readonly onTime: string;
	};
	readonly jobs: {
		readonly title: string;
		readonly states: Readonly<Record<keyof JobCounts, string>>;
		readonly hint: string;
	};
	readonly clients: {
		readonly title: string;
		readonly columns: readonly [string, string, string, string];
		readonly hidden: string;
		readonly none: string;
	};
	readonly models: {
		readonly title: string;
		readonly columns: readonly [string, string, string, string, string, string];
		readonly states: Readonly<Record<string, string>>;
	};
	readonly workers: {
		readonly title: string;
		readonly columns: readonly [string, string, string, string, string, string, string];
		readonly states: Readonly<Record<string, string>>;
		readonly never: string;
	};
	readonly crashes: {
		readonly title: string;
		readonly none: string;
		readonly how: (exit: WorkerExit) => string;
		readonly stack: string;
		readonly noStack: string;
		/** For SIGKILL, which leaves no stack either. */
		readonly killed: string;
		readonly hidden: string;
	};
	readonly operator: {
		readonly label: string;
		readonly hint: string;
		readonly show: string;
		readonly forget: string;
		readonly wrong: string;
	};
	readonly refusals: {
		readonly title: string;
		readonly none: string;
		readonly columns: readonly [string, string, string, string];
		readonly byServer: string;
		readonly byClients: string;
		readonly reasons: Readonly<Record<string, string>>;
	};
}

/** Texts of a card: a small chart with its values. */
export interface Card<Values> {
	readonly title: string;
	/** The large figure. */
	readonly figure: (values: Values) => string;
	/** Its unit. */
	readonly unit: (values: Values) => string;
	/** Past values, below it. */
	readonly note: (values: Values) => string;
}

const SIGNALS_ENGLISH: Readonly<Record<string, string>> = {
	SIGKILL: 'was killed (SIGKILL)',
	SIGTERM: 'was terminated (SIGTERM)',
};

const english: StatusTexts = {
	nav: {
		label: 'Pages',
		skip: 'Skip to the content',
		live: 'Live',
		recordings: 'Recordings',
		status: 'Status',
		help: 'Help',
	},
	title: 'Status',
	asking: 'Loading …',
	states: {
		ok: 'OK',
		degraded: 'Degraded: not all workers and models are ready',
		down: 'Down: no worker is ready, or the server is shutting down',
	},
	away: since => `Unreachable since ${since}. Retrying every 2 s.`,
	about: (version, model, since) => `Auricle ${version} · model ${model} · running since ${since}`,
	lately: 'The last 15 minutes',
	begin: minutes => `${minutes} min ago`,
	now: 'now',
	noFigures: 'No data yet: the first values appear after 5 seconds.',
	cards: {
		workers: {
			title: 'Workers',
			figure: ({ ready }) => `${ready}`,
			unit: ({ all }) => `of ${all} ready`,
			note: ({ crashes }) =>
				crashes === 0 ? 'no crash' : `${crashes} ${crashes === 1 ? 'crash' : 'crashes'}`,
		},
		queue: {
			title: 'Queue',
			figure: ({ seconds }) => `${seconds} s`,
			unit: ({ bound }) => `of ${bound} s of audio`,
			note: ({ peak }) => `highest ${peak} s`,
		},
		sessions: {
			title: 'Live sessions',
			figure: ({ connected }) => `${connected}`,
			unit: () => 'connected',
			note: ({ waiting, peak }) =>
				waiting === 0 ? `highest ${peak}` : `highest ${peak} · ${waiting} disconnected`,
		},
		delays: {
			title: 'Caption delay',
			figure: values => (values === null ? '–' : `${values.p50} s`),
			unit: values => (values === null ? 'no speech yet' : 'median after the last word'),
			note: values =>
				values === null ? 'after the last word' : `95 % within ${values.p95} s · highest ${values.peak} s`,
		},
		jobs: {
			title: 'Jobs completed',
			figure: ({ lately }) => `${lately}`,
			unit: () => 'in the last minute',
			note: ({ retried }) => (retried === 0 ? 'none repeated' : `${retried} repeated after a crash`),
		},
		refusals: {
			title: 'Refused or failed',
			figure: ({ lately }) => `${lately}`,
			unit: () => 'in the last minute',
			note: ({ count, byClients }) =>
				byClients === 0
					? `${count} in 15 minutes`
					: `${count} in 15 minutes · ${byClients} more for wrong keys or limits`,
		},
		cpu: {
			title: 'CPU of the host',
			figure: values => (values === null ? '–' : `${values.percent} %`),
			unit: values => (values === null ? '' : `of ${values.cores} ${values.cores === 1 ? 'core' : 'cores'}`),
			note: values => (values === null ? 'not measured yet' : `highest ${values.peak} %`),
		},
		memory: {
			title: 'Memory of the host',
			figure: values => (values === null ? '–' : `${values.used} GB`),
			unit: values => (values === null ? '' : `of ${values.all} GB`),
			note: values => (values === null ? 'not measured yet' : `highest ${values.peak} GB`),
		},
	},
	units: {
		count: value => `${value}`,
		seconds: value => `${value} s`,
		percent: value => `${value} %`,
		gigabytes: value => `${value} GB`,
	},
	table: {
		open: 'Show as a table',
		columns: [
			'Minute',
			'Workers ready, minimum',
			'Queue, s',
			'Sessions',
			'Delay p95, ms',
			'Refused or failed',
			'Crashes',
			'CPU, %',
			'Memory, GB',
		],
	},
	live: {
		title: 'Live speech',
		tiles: {
			speakers: 'People being transcribed now',
			capacity: 'This server holds',
			late: 'Captions',
			waiting: 'Waiting for a free place',
		},
		capacity: (people, source) =>
			source === 'set'
				? `${people} (set)`
				: `about ${people} (${source === 'learned' ? 'learned' : 'not learned'})`,
		late: 'late',
		onTime: 'on time',
	},
	jobs: {
		title: 'Background jobs',
		states: {
			queued: 'Queued',
			running: 'Running',
			done: 'Done',
			failed: 'Failed',
			cancelled: 'Cancelled',
		},
		hint: 'Queued and running: all jobs of the database. The others: jobs that ended here since the server’s start.',
	},
	clients: {
		title: 'Use by key',
		columns: ['Key', 'Requests', 'Audio', 'Live sessions'],
		hidden: 'Enter the operator’s key to see the use by key.',
		none: 'No key was used since the server started.',
	},
	models: {
		title: 'Models',
		columns: ['Model', 'State', 'Ready workers', 'Queue (s)', 'Jobs completed', 'Jobs failed'],
		states: {
			unloaded: 'not loaded',
			loading: 'loading',
			ready: 'ready',
			restarting: 'restarting',
			failed: 'can’t be loaded',
		},
	},
	workers: {
		title: 'Workers',
		columns: ['Worker', 'State', 'Process', 'Restarts', 'Jobs completed', 'Memory', 'Last exit'],
		states: {
			starting: 'starting',
			ready: 'ready',
			busy: 'busy',
			backing_off: 'waiting to restart',
			stopping: 'stopping',
		},
		never: 'none',
	},
	crashes: {
		title: 'Crashes',
		none: 'No worker has crashed since the server started.',
		how: ({ reason, signal, code }) => {
			const end = signal ?? (code === null || code === undefined ? null : `code ${code}`);
			switch (reason) {
				case 'exited':
					return SIGNALS_ENGLISH[signal ?? ''] ?? `crashed (${end ?? 'unknown'})`;
				case 'hung':
					return 'hung and was killed';
				case 'start':
					return `could not start (${end ?? 'unknown'})`;
				case 'protocol':
					return 'sent an invalid message and was killed';
				case 'memory':
					return 'exceeded its memory limit and was killed';
				default:
					return `${reason} (${end ?? 'unknown'})`;
			}
		},
		stack: 'Stack at the crash',
		noStack: 'No stack available.',
		killed: 'Killed by a user, or by the system when out of memory; no stack available.',
		hidden: 'Enter the operator’s key to see the stack.',
	},
	operator: {
		label: 'Operator’s key',
		hint: 'The value of AURICLE_OPERATOR_KEY, to see the use by key and the stacks of crashed workers. It is stored in this tab only.',
		show: 'Show',
		forget: 'Forget the key',
		wrong: 'Wrong operator’s key.',
	},
	refusals: {
		title: 'Refused or failed, by reason',
		none: 'Nothing in the last 15 minutes.',
		columns: ['Code', 'Meaning', 'Cause', 'Count'],
		byServer: 'server',
		byClients: 'client',
		reasons: {
			queue_full: 'the queue, a key’s share of it or the session limit was full',
			server_full: 'the machine held no other person speaking live',
			no_worker_ready: 'no worker was ready',
			model_unavailable: 'the model was loading, or could not be loaded',
			draining: 'the server was shutting down',
			rate_limited: 'a key or an address exceeded a limit',
			unauthorized: 'no key or a wrong key',
			token_expired: 'a token had expired',
			forbidden_origin: 'a request from a page of another origin',
			forbidden_host: 'a host name that the server does not accept',
			deadline_exceeded: 'the deadline was exceeded',
			poison_job: 'audio that kills workers',
			internal: 'an internal error; see the server’s log',
		},
	},
};

const SIGNALS_CHINESE: Readonly<Record<string, string>> = {
	SIGKILL: '被终止（SIGKILL）',
	SIGTERM: '被要求退出（SIGTERM）',
};

const chinese: StatusTexts = {
	nav: { label: '页面', skip: '跳到正文', live: '实时', recordings: '录音', status: '状态', help: '帮助' },
	title: '状态',
	asking: '正在加载……',
	states: {
		ok: '一切正常',
		degraded: '服务可用，但部分工作进程或模型不可用',
		down: '暂不可用：没有就绪的工作进程，或正在关闭',
	},
	away: since => `自 ${since} 起无法连接服务器，每 2 秒重试一次。`,
	about: (version, model, since) => `Auricle ${version} · 模型 ${model} · 自 ${since} 起运行`,
	lately: '最近 15 分钟',
	begin: minutes => `${minutes} 分钟前`,
	now: '现在',
	noFigures: '暂无数据：5 秒后出现第一批。',
	cards: {
		workers: {
			title: '工作进程',
			figure: ({ ready }) => `${ready}`,
			unit: ({ all }) => `个就绪，共 ${all} 个`,
			note: ({ crashes }) => (crashes === 0 ? '没有崩溃' : `崩溃 ${crashes} 次`),
		},
		queue: {
			title: '队列',
			figure: ({ seconds }) => `${seconds} 秒`,
			unit: ({ bound }) => `音频，上限 ${bound} 秒`,
			note: ({ peak }) => `最高 ${peak} 秒`,
		},
		sessions: {
			title: '实时会话',
			figure: ({ connected }) => `${connected}`,
			unit: () => '个已连接',
			note: ({ waiting, peak }) =>
				waiting === 0 ? `最高 ${peak} 个` : `最高 ${peak} 个 · 等待重连 ${waiting} 个`,
		},
		delays: {
			title: '字幕延迟',
			figure: values => (values === null ? '–' : `${values.p50} 秒`),
			unit: values => (values === null ? '尚无语音' : '中位数，从最后一个词算起'),
			note: values =>
				values === null ? '从最后一个词算起' : `95% 在 ${values.p95} 秒以内 · 最高 ${values.peak} 秒`,
		},
		jobs: {
			title: '完成的任务',
			figure: ({ lately }) => `${lately}`,
			unit: () => '个，最近一分钟',
			note: ({ retried }) => (retried === 0 ? '没有重做' : `崩溃后重做 ${retried} 个`),
		},
		refusals: {
			title: '拒绝与失败',
			figure: ({ lately }) => `${lately}`,
			unit: () => '次，最近一分钟',
			note: ({ count, byClients }) =>
				byClients === 0
					? `15 分钟内 ${count} 次`
					: `15 分钟内 ${count} 次 · 另有 ${byClients} 次为密钥错误或超限`,
		},
		cpu: {
			title: '主机 CPU',
			figure: values => (values === null ? '–' : `${values.percent}%`),
			unit: values => (values === null ? '' : `共 ${values.cores} 核`),
			note: values => (values === null ? '尚未测量' : `最高 ${values.peak}%`),
		},
		memory: {
			title: '主机内存',
			figure: values => (values === null ? '–' : `${values.used} GB`),
			unit: values => (values === null ? '' : `共 ${values.all} GB`),
			note: values => (values === null ? '尚未测量' : `最高 ${values.peak} GB`),
		},
	},
	units: {
		count: value => `${value}`,
		seconds: value => `${value} 秒`,
		percent: value => `${value}%`,
		gigabytes: value => `${value} GB`,
	},
	table: {
		open: '以表格显示',
		columns: [
			'时间',
			'就绪工作进程（最少）',
			'队列（秒）',
			'会话',
			'延迟 95%（毫秒）',
			'拒绝与失败',
			'崩溃',
			'CPU（%）',
			'内存（GB）',
		],
	},
	live: {
		title: '实时语音',
		tiles: {
			speakers: '正在转写的人数',
			capacity: '此服务器可容纳',
			late: '字幕',
			waiting: '等待空位',
		},
		capacity: (people, source) =>
			source === 'set'
				? `${people} 人（已设定）`
				: `约 ${people} 人（${source === 'learned' ? '已实测' : '未实测'}）`,
		late: '有延迟',
		onTime: '及时',
	},
	jobs: {
		title: '后台任务',
		states: { queued: '排队中', running: '进行中', done: '已完成', failed: '失败', cancelled: '已取消' },
		hint: '“排队中”和“进行中”为数据库中的全部任务；其余为本服务器启动以来结束的任务。',
	},
	clients: {
		title: '各密钥用量',
		columns: ['密钥', '请求', '音频', '实时会话'],
		hidden: '输入运维密钥可查看各密钥的用量。',
		none: '服务器启动以来没有使用过密钥。',
	},
	models: {
		title: '模型',
		columns: ['模型', '状态', '就绪工作进程', '队列（秒）', '完成任务', '失败任务'],
		states: {
			unloaded: '未加载',
			loading: '加载中',
			ready: '就绪',
			restarting: '重启中',
			failed: '无法加载',
		},
	},
	workers: {
		title: '工作进程',
		columns: ['名称', '状态', '进程号', '重启次数', '完成任务', '内存', '上次退出'],
		states: {
			starting: '启动中',
			ready: '就绪',
			busy: '忙碌',
			backing_off: '等待重启',
			stopping: '停止中',
		},
		never: '无',
	},
	crashes: {
		title: '崩溃记录',
		none: '服务器启动以来没有工作进程崩溃。',
		how: ({ reason, signal, code }) => {
			const end = signal ?? (code === null || code === undefined ? '原因不明' : `代码 ${code}`);
			switch (reason) {
				case 'exited':
					return SIGNALS_CHINESE[signal ?? ''] ?? `崩溃（${end}）`;
				case 'hung':
					return '卡死，已被终止';
				case 'start':
					return `无法启动（${end}）`;
				case 'protocol':
					return '发送了无效消息，已被终止';
				case 'memory':
					return '占用内存过多，已被终止';
				default:
					return `${reason}（${end}）`;
			}
		},
		stack: '崩溃时的调用栈',
		noStack: '没有留下调用栈。',
		killed: '由人终止，或因系统内存不足被终止；不会留下调用栈。',
		hidden: '输入运维密钥可查看调用栈。',
	},
	operator: {
		label: '运维密钥',
		hint: '即 AURICLE_OPERATOR_KEY 的值，可查看各密钥的用量和工作进程崩溃时的调用栈。密钥只保存在本标签页。',
		show: '显示',
		forget: '清除密钥',
		wrong: '运维密钥错误。',
	},
	refusals: {
		title: '拒绝与失败的原因',
		none: '最近 15 分钟没有。',
		columns: ['代码', '含义', '起因', '次数'],
		byServer: '服务器',
		byClients: '客户端',
		reasons: {
			queue_full: '队列、某个密钥的份额或会话名额已满',
			server_full: '此机器无法再转写更多人的实时讲话',
			no_worker_ready: '没有就绪的工作进程',
			model_unavailable: '模型正在加载，或无法加载',
			draining: '服务器正在关闭',
			rate_limited: '某个密钥或地址超出了限制',
			unauthorized: '没有密钥，或密钥错误',
			token_expired: '令牌已过期',
			forbidden_origin: '来自其他网站的页面',
			forbidden_host: '服务器不接受的主机名',
			deadline_exceeded: '超过了期限',
			poison_job: '会使工作进程崩溃的音频',
			internal: '服务器自身的错误，详见日志',
		},
	},
};

export const STATUS_TEXTS = { en: english, zh: chinese } as const;
