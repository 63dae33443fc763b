"""The commands of `kinflow ...`, a module a subject: options as dataclasses, and what each does."""
