import jsdoc from 'eslint-plugin-jsdoc';
import { defineConfig, globalIgnores } from 'eslint/config';
import tseslint from 'typescript-eslint';

export default defineConfig(
	globalIgnores(['dist/', 'test-results/', '*.js']),
	tseslint.configs.strictTypeChecked,
	{
		languageOptions: { parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname } },
		linterOptions: { reportUnusedDisableDirectives: 'error' },
		rules: {
			// Numbers in sentences need no ceremony.
			'@typescript-eslint/restrict-template-expressions': ['error', { allowNumber: true }],
			'@typescript-eslint/no-confusing-void-expression': ['error', { ignoreArrowShorthand: true }],
		},
	},
	{
		files: ['src/**/*.ts'],
		plugins: { jsdoc },
		rules: {
			'jsdoc/require-jsdoc': [
				'error',
				{
					publicOnly: true,
					checkConstructors: false,
					require: { ClassDeclaration: true, FunctionDeclaration: true, MethodDefinition: true },
					contexts: ['TSInterfaceDeclaration', 'TSTypeAliasDeclaration'],
				},
			],
			'jsdoc/require-description': ['error', { checkConstructors: false }],
		},
	},
);
