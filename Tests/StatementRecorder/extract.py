#!/usr/bin/env python3
"""Reads a server's log and writes the statements in it, each shape once, in the form of the referee's statement files.

usage: extract.py LOG APPLICATION_NAME [FEW] >STATEMENTS

FEW is how many statements may differ in nothing but names, for a program that asks the same of every table.

The server must log with log_statement = 'all' and log_line_prefix = '@%a@': an entry begins with the application's
name, and the further lines of a statement with a tab.
"""

import collections
import re
import sys

ENTRY = re.compile(r"^@([^@]*)@LOG:  (?:statement|execute [^:]*): (.*)", re.S)
# What the shape of a statement does not hang on: constants, lists of them, white space, comments, numbers in names.
CONSTANT = re.compile(
    r"(?P<comment>/\*.*?\*/|--[^\n]*)|(?P<name>\"[^\"]*\")"
    r"|(?P<text>[eEbBxX]?'(?:[^']|'')*')|(?P<number>\b\d+(?:\.\d+)?\b)",
    re.S,
)
LIST = re.compile(r"\?(\s*,\s*\?)+")
ROWS = re.compile(r"\(\?\)(\s*,\s*\(\?\))+")
# Statements that stand on an earlier one, and the one that they stand on, by the same name.
NAME = r"\"?([\w$]+)\"?"
FOLLOWERS = [
    (re.compile(rf"\s*(?:FETCH|MOVE|CLOSE)\b.*?{NAME};?\s*$", re.I | re.S), re.compile(rf"\s*DECLARE\s+{NAME}", re.I)),
    (
        re.compile(rf"\s*(?:RELEASE|ROLLBACK TO)(?:\s+SAVEPOINT)?\s+{NAME};?\s*$", re.I),
        re.compile(rf"\s*SAVEPOINT\s+{NAME}", re.I),
    ),
    (re.compile(rf"\s*(?:EXECUTE|DEALLOCATE)\s+{NAME}", re.I), re.compile(rf"\s*PREPARE\s+{NAME}", re.I)),
]


def entries(path):
    entry = ""
    with open(path, encoding="utf8") as log:
        for line in log:
            if line.startswith("\t"):
                entry += line[1:]
                continue
            if entry:
                yield entry
            entry = line if line.startswith("@") else ""
    if entry:
        yield entry


def statements(path, application):
    for entry in entries(path):
        match = ENTRY.match(entry)
        if match and match.group(1) == application and match.group(2).strip():
            yield match.group(2).strip()


def shape(sql):
    def replaced(match):
        if match.group("comment"):
            return " "
        if match.group("name"):
            return re.sub(r"\d+", "N", match.group("name"))
        return "?"

    sql = " ".join(CONSTANT.sub(replaced, sql).split())
    return ROWS.sub("(?)", LIST.sub("?", sql)).lower()


def nameless(shape):
    """The shape without the names of relations; of a command, what it does."""
    command = re.match(r"(?:lock table|copy|declare \w+ cursor)\b", shape)
    return command.group() if command else re.sub(r"[\w\"]+\.[\w\"]+", "N", shape)


def escaped(sql):
    for char, escape in (("\\", "\\\\"), ("\t", "\\t"), ("\n", "\\n"), ("\r", "\\r")):
        sql = sql.replace(char, escape)
    return sql


def main(path, application, few="0"):
    seen, alike, leaders = set(), collections.Counter(), {}
    for sql in statements(path, application):
        setup = None
        for number, (follower, leader) in enumerate(FOLLOWERS):
            if match := leader.match(sql):
                leaders[number, match.group(1)] = sql
            elif match := follower.match(sql):
                setup = leaders.get((number, match.group(1)))
        key = shape(sql)
        if key in seen:
            continue
        seen.add(key)
        alike[nameless(key)] += 1
        if int(few) and alike[nameless(key)] > int(few):
            continue
        print(escaped(sql) + (f"\t{escaped(setup)}" if setup else ""))


if __name__ == "__main__":
    main(*sys.argv[1:])
