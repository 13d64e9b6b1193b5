"use strict";

// What people send with their session needs the token that Django keeps in a cookie.
function csrfToken() {
  const found = document.cookie.match(/(?:^|;\s*)csrftoken=([^;]+)/);
  return found ? found[1] : "";
}

const page = document.getElementById("docs");

window.SwaggerUIBundle({
  domNode: page,
  url: page.dataset.schema,
  deepLinking: true,
  docExpansion: "none",
  defaultModelsExpandDepth: 0,
  displayRequestDuration: true,
  filter: true,
  tryItOutEnabled: true,
  validatorUrl: null,
  requestInterceptor(request) {
    const url = new URL(request.url, window.location.origin);
    if (url.origin === window.location.origin) {
      request.headers["X-CSRFToken"] = csrfToken();
    }
    return request;
  },
});
