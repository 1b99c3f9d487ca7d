"""REST views: each reads the request, calls one flow, and answers what it returns."""
