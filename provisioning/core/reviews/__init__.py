"""Reviews of pull requests: what is shown, what is remembered, and what that allows. Pure."""
