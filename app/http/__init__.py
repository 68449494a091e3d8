"""The HTTP application: routes, middleware, forms and replies."""
