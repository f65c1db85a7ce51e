// The API's description with a form to try each operation.

const place = /** @type {HTMLElement} */ (document.getElementById("api"));

// The bundle is a classic script that leaves one global behind.
const { SwaggerUIBundle } = /** @type {any} */ (window);

SwaggerUIBundle({
  url: place.dataset.openapi,
  domNode: place,
  tryItOutEnabled: true,
  deepLinking: true,
  defaultModelsExpandDepth: 0,
  validatorUrl: null,
});
