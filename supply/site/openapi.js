// The document lies next to the page, so that the page works without internet and below any path.
SwaggerUIBundle({
	url: 'openapi.json',
	dom_id: '#api',
	deepLinking: true,
	docExpansion: 'list',
	defaultModelsExpandDepth: -1,
	displayRequestDuration: true,
	validatorUrl: null,
});
