// What the vendored page of the routes shows.
window.SwaggerUIBundle({ url: "openapi.json", dom_id: "#routes", deepLinking: true });
