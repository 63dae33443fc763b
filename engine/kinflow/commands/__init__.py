"""The commands of `kinflow ...`, one module a subject: options as dataclasses, and what each does."""
