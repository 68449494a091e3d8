"""The HTTP application: routes, middleware, request forms and JSON replies."""
