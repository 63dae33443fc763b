"""What xdotool cannot do: closes a window as a title bar's cross does, and drops a file (XDND).

    python3 x11.py name
    python3 x11.py close WINDOW
    python3 x11.py drop WINDOW X Y FILE

name, before Blender starts: it listens to a request to close only where somebody had named that.
A script of its own: it runs beside the virtual screen, with the libX11 that xdotool needs too.
"""

import ctypes
import sys
import time
from ctypes import POINTER, byref, c_char_p, c_int, c_long, c_ulong, c_void_p
from pathlib import Path

WITHIN = 10.0  # seconds
CLIENT_MESSAGE, SELECTION_REQUEST, SELECTION_NOTIFY = 33, 30, 31
_X = ctypes.CDLL("libX11.so.6")


class Message(ctypes.Structure):
    """XClientMessageEvent, of 32 bit."""

    _fields_ = (
        ("type", c_int),
        ("serial", c_ulong),
        ("sent", c_int),
        ("display", c_void_p),
        ("window", c_ulong),
        ("kind", c_ulong),
        ("format", c_int),
        ("data", c_long * 5),
    )


class Request(ctypes.Structure):
    """XSelectionRequestEvent."""

    _fields_ = (
        ("type", c_int),
        ("serial", c_ulong),
        ("sent", c_int),
        ("display", c_void_p),
        ("owner", c_ulong),
        ("requestor", c_ulong),
        ("selection", c_ulong),
        ("target", c_ulong),
        ("property", c_ulong),
        ("time", c_ulong),
    )


class Notice(ctypes.Structure):
    """XSelectionEvent."""

    _fields_ = (
        ("type", c_int),
        ("serial", c_ulong),
        ("sent", c_int),
        ("display", c_void_p),
        ("requestor", c_ulong),
        ("selection", c_ulong),
        ("target", c_ulong),
        ("property", c_ulong),
        ("time", c_ulong),
    )


class Event(ctypes.Union):
    _fields_ = (
        ("type", c_int),
        ("message", Message),
        ("request", Request),
        ("notice", Notice),
        ("room", c_long * 24),
    )


_WINDOW = (c_void_p, c_ulong)
for _name, _result, _arguments in (
    ("XOpenDisplay", c_void_p, (c_char_p,)),
    ("XInternAtom", c_ulong, (c_void_p, c_char_p, c_int)),
    ("XDefaultRootWindow", c_ulong, (c_void_p,)),
    ("XCreateSimpleWindow", c_ulong, (*_WINDOW, *(c_int,) * 5, c_ulong, c_ulong)),
    ("XSetSelectionOwner", c_int, (c_void_p, c_ulong, c_ulong, c_ulong)),
    ("XSendEvent", c_int, (*_WINDOW, c_int, c_long, POINTER(Event))),
    ("XPending", c_int, (c_void_p,)),
    ("XNextEvent", c_int, (c_void_p, POINTER(Event))),
    ("XSync", c_int, (c_void_p, c_int)),
    ("XChangeProperty", c_int, (*_WINDOW, c_ulong, c_ulong, c_int, c_int, c_char_p, c_int)),
):
    getattr(_X, _name).restype, getattr(_X, _name).argtypes = _result, _arguments


class Client:
    """A connection to the screen that DISPLAY names."""

    def __init__(self) -> None:
        self.display = _X.XOpenDisplay(None)
        if not self.display:
            sys.exit("There is no screen.")

    def atom(self, name: str) -> int:
        return _X.XInternAtom(self.display, name.encode(), 0)

    def tell(self, window: int, kind: str, *data: int) -> None:
        """Sends a window a message."""
        event = Event()
        message = event.message
        message.type, message.window, message.format = CLIENT_MESSAGE, window, 32
        message.kind = self.atom(kind)
        message.data[: len(data)] = data
        self.send(window, event)

    def send(self, window: int, event: Event) -> None:
        _X.XSendEvent(self.display, window, 0, 0, byref(event))
        _X.XSync(self.display, 0)

    def close(self, window: int) -> None:
        self.tell(window, "WM_PROTOCOLS", self.atom("WM_DELETE_WINDOW"))

    def drop(self, window: int, place: tuple[int, int], file: Path) -> None:
        """A file from another program: it comes over the window, and is let go."""
        root = _X.XDefaultRootWindow(self.display)
        own = _X.XCreateSimpleWindow(self.display, root, 0, 0, 1, 1, 0, 0, 0)
        _X.XSetSelectionOwner(self.display, self.atom("XdndSelection"), own, 0)
        files, copy = self.atom("text/uri-list"), self.atom("XdndActionCopy")
        self.tell(window, "XdndEnter", own, 5 << 24, files)
        text = f"{file.resolve().as_uri()}\r\n".encode()
        for _ in range(3):  # as a mouse that comes to rest there
            self.tell(window, "XdndPosition", own, 0, place[0] << 16 | place[1], 0, copy)
            self._serve_until("XdndStatus", text)
        self.tell(window, "XdndDrop", own, 0, 0)
        self._serve_until("XdndFinished", text)

    def _serve_until(self, kind: str, text: bytes) -> None:
        """Hands out the files' names until the window answers."""
        awaited, until, event = self.atom(kind), time.monotonic() + WITHIN, Event()
        while time.monotonic() < until:
            if not _X.XPending(self.display):
                time.sleep(0.01)
                continue
            _X.XNextEvent(self.display, byref(event))
            if event.type == SELECTION_REQUEST:
                self._hand_out(event.request, text)
            elif event.type == CLIENT_MESSAGE and event.message.kind == awaited:
                return
        sys.exit(f"The window sent no {kind}.")

    def _hand_out(self, asked: Request, text: bytes) -> None:
        place = (self.display, asked.requestor, asked.property, asked.target)
        _X.XChangeProperty(*place, 8, 0, c_char_p(text), len(text))
        event = Event()
        notice = event.notice
        notice.type, notice.requestor, notice.selection = (
            SELECTION_NOTIFY,
            asked.requestor,
            asked.selection,
        )
        notice.target, notice.property, notice.time = asked.target, asked.property, asked.time
        self.send(asked.requestor, event)


def main(word: str, window: str = "0", x: str = "0", y: str = "0", file: str = "") -> None:
    client = Client()
    if word == "name":
        client.atom("WM_PROTOCOLS"), client.atom("WM_DELETE_WINDOW")
    elif word == "close":
        client.close(int(window))
    else:
        client.drop(int(window), (int(x), int(y)), Path(file))


if __name__ == "__main__":
    main(*sys.argv[1:])
