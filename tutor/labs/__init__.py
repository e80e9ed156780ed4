"""Lab sessions: opening, checking, the console, and what is recorded of them. :class:`tutor.labs.service.Labs` is the door."""
