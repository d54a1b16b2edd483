// Swagger UI for the routes of this server.
window.SwaggerUIBundle({ url: "openapi.json", dom_id: "#routes", deepLinking: true });
