// Starts Swagger UI, whose files lie beside this one, with the schema of the server that served the page.

window.SwaggerUIBundle({
  url: new URL("openapi.json", document.baseURI).href,
  dom_id: "#swagger-ui",
  deepLinking: true,
  validatorUrl: null, // by default Swagger UI asks a server on the internet
});
