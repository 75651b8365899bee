#!/usr/bin/env python3
"""A whole client of the line protocol, version 1, in Python's standard library: read it as the protocol's documentation.

    python3 pointsman_client.py SOCKET 'SELECT $1::int + 1' 41
"""
import re
import secrets
import socket
import sys
from collections import namedtuple
from functools import partialmethod

Result = namedtuple("Result", "columns rows tag count receipt")  # columns: (name, type oid); receipt: pool, us, tx, …
ESCAPES = str.maketrans({"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r"})
MEANINGS = {b"\\": b"\\", b"t": b"\t", b"n": b"\n", b"r": b"\r"}  # any other escape is an error


class PointsmanError(Exception):
    """retry: "never", "now" and "later" (it did not run), "tx" (start again from BEGIN), "unknown" (it may have run)."""

    def __init__(self, sqlstate, retry, message, attributes=()):
        super().__init__(f"{sqlstate}: {message}")
        self.sqlstate, self.retry, self.message, self.attributes = sqlstate, retry, message, dict(attributes)


def escape(value):
    """The one way to write SQL or a value, so that no content becomes another value or another line."""
    text = "\\x" + value.hex() if isinstance(value, bytes) else str(value)
    if "\0" in text:
        raise ValueError("PostgreSQL's text cannot hold a NUL")
    return "\\N" if value is None else text.translate(ESCAPES)


def unescape(field):
    return None if field == b"\\N" else re.sub(rb"(?s)\\(.?)", lambda found: MEANINGS[found[1]], field).decode()


class Client:
    def __init__(self, path, app="python", timeout=30):
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.socket.settimeout(timeout)
        self.socket.connect(path)
        self.lines, self.salt, self.number = self.socket.makefile("rb"), "", 0  # bytes: a line ends at LF alone
        salt = secrets.token_hex(4) + "-"  # each later id starts with it; a line smuggled in by content does not
        self.hello = self.call("HELLO", "1", app=app, salt=salt).receipt
        self.salt = salt

    def line(self, verb, text="", *values, **options):
        """The id and the bytes of a request: verb id [@key[=value]]… [text] [TAB value]… LF."""
        self.number += 1
        words = [verb, f"{self.salt}{self.number}"]
        for key, value in options.items():  # True is a flag, a list is an option given several times (after)
            for one in value if isinstance(value, list) else [value]:
                if not re.fullmatch("[!-~]{1,64}", str(one)):
                    raise ValueError(f"@{key} takes 1 to 64 visible ASCII characters")
                words.append(f"@{key}" if one is True else f"@{key}={one}")
        if text.lstrip(" ").startswith("@"):
            raise ValueError("a text that starts with @ would be read as an option")
        head = " ".join(words + [escape(text)] if text else words)
        return words[1], ("\t".join([head, *map(escape, values)]) + "\n").encode()

    def reply(self, id):
        """One Result or PointsmanError: [T] D… (C or E), N lines anywhere. An E behind D lines voids those rows."""
        columns, rows = [], []
        for line in self.lines:
            if not line.endswith(b"\n"):
                break  # cut off in the middle
            kind, *fields = [unescape(field) for field in line[:-1].split(b"\t")]
            if kind == "D":
                rows.append(fields)
            elif kind in ("T", "C", "E") and fields[0] not in (id, "-"):
                raise PointsmanError("08P01", "unknown", f"a reply to {fields[0]} instead of {id}")
            elif kind == "T":
                columns = list(zip(fields[2::2], map(int, fields[1::2])))
            elif kind == "C":
                count = None if fields[2] is None else int(fields[2])
                return Result(columns, rows, fields[1], count, dict(field.split("=", 1) for field in fields[3:]))
            elif kind == "E":  # fields[2] is the severity
                return PointsmanError(fields[1], *fields[3:5], (field.split("=", 1) for field in fields[5:]))
        raise PointsmanError("08006", "unknown", "the connection was closed before the reply")

    def call(self, verb, text="", *values, **options):
        result = self.pipeline((verb, text, *values), **options)[0]
        if isinstance(result, PointsmanError):
            raise result
        return result

    query, begin = partialmethod(call, "Q"), partialmethod(call, "BEGIN")
    commit, rollback = partialmethod(call, "COMMIT"), partialmethod(call, "ROLLBACK")

    def pipeline(self, *requests, **options):
        """Sends (verb, text, value…) tuples in one write; answers a Result or PointsmanError for each, in order. Some
        hundred at most, and small replies: the daemon stops reading from a client that does not read."""
        ids, lines = zip(*[self.line(*request, **options) for request in requests])
        self.socket.sendall(b"".join(lines))
        return [self.reply(id) for id in ids]


if __name__ == "__main__":
    if len(sys.argv) < 3:
        sys.exit("usage: pointsman_client.py SOCKET SQL [VALUE]…")
    try:
        result = Client(sys.argv[1]).query(sys.argv[2], *sys.argv[3:])
    except PointsmanError as error:
        sys.exit(f"{error} (retry: {error.retry})")
    print("\t".join(name for name, _ in result.columns))
    for row in result.rows:
        print("\t".join("NULL" if value is None else value for value in row))
    print(result.tag, result.count, result.receipt, file=sys.stderr)
