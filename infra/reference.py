#!/usr/bin/env python3
"""Writes the tables of inputs and outputs: of the root module into REFERENCE.md, of modules/writer into
its README.md, each between two markers.

Usage: reference.py [--check]

--check changes nothing, and exits with 1 if a file is out of date. Reads what `terraform fmt` has
formatted: it counts on its indentation.
"""

import json
import re
import sys
from pathlib import Path
from textwrap import dedent

HERE = Path(__file__).parent
# Each file with its tables, the folder of the module, and where the objects of its inputs are described.
PAGES = [("REFERENCE.md", ".", ""), ("modules/writer/README.md", "modules/writer", "../../REFERENCE.md")]
BEGIN, END = "<!-- made by infra/reference.py -->", "<!-- end -->"

BLOCK = r'^{kind} "(\w+)" {{\n(.*?)^}}'
MEMBERS = re.compile(r"^  (\w+(?:(?:, | and )\w+)*)(?:\s+= (.*))?$")


def blocks(folder, kind):
    """(name, body) of each block of a kind, by name."""
    text = "".join(path.read_text() for path in sorted((HERE / folder).glob("*.tf")))
    return sorted(re.findall(BLOCK.format(kind=kind), text, re.M | re.S))


def attribute(body, name, indent=2):
    """The source of an attribute, on one line; None if it is not set."""
    found = re.search(rf"^ {{{indent}}}{name}\s+= (.*?)(?=^ {{{indent}}}\w|^ {{{indent}}}\}}$|\Z)", body, re.M | re.S)
    return found and " ".join(re.sub(r"(?<=[\w)])\n +(?=\w)", ", ", found[1]).split())


def description(body):
    heredoc = re.search(r"description = <<-TEXT\n(.*?)\n  TEXT$", body, re.M | re.S)
    return dedent(heredoc[1]) if heredoc else json.loads(attribute(body, "description"))


def sections(text):
    """A description as (paragraph, what it says of members): a line with names begins what is said of them,
    lines that are indented further go on with it."""
    found = [["", []]]
    for line in text.splitlines():
        if names := MEMBERS.match(line):
            found[-1][1].append([re.split(r", | and ", names[1]), names[2] or ""])
        elif line.startswith("   "):
            found[-1][1][-1][1] += " " + line.strip()
        else:
            if found[-1][1]:
                found.append(["", []])
            found[-1][0] += " " + line.strip()
    return found


def members(body):
    """(type, default) of each member of an object's type, by name. The default is None if there must be a
    value, and empty if there is none."""
    found = {}
    if listed := re.search(r"^  type\s+= .*?object\(\{\n(.*?)^  \}\)", body, re.M | re.S):
        for name in re.findall(r"^    (\w+)\s+= ", listed[1], re.M):
            source = attribute(listed[1], name, 4)
            optional = source.startswith("optional(")
            found[name] = split_default(source.removeprefix("optional(")[:-1]) if optional else (source, None)
    return found


def split_default(arguments):
    """The arguments of optional(), which are separated by the only comma outside of brackets and quotes."""
    bare = re.sub(r'"[^"]*"', lambda quoted: "-" * len(quoted[0]), arguments)
    for at in re.finditer(",", bare):
        if bare.count("(", 0, at.start()) == bare.count(")", 0, at.start()):
            return arguments[: at.start()], arguments[at.start() + 1 :].strip()
    return arguments, ""


def prose(text):
    """Without what Markdown would take for marks, outside of code."""
    parts = text.strip().replace("|", "\\|").split("`")
    parts[::2] = [part.replace("<", "&lt;").replace("*", "\\*") for part in parts[::2]]
    return "`".join(parts)


def code(text):
    return f"`{text}`".replace("|", "\\|") if text else ""


def given(default):
    return "required" if default is None else code(default)


def table(head, rows):
    return "\n".join(f"| {' | '.join(row)} |" for row in [head, ["---"] * len(head), *rows])


def object_section(name, body):
    """What an input says at length, and its members."""
    types = members(body)
    parts = [f"### {name}"]
    told = sections(description(body))
    said = {member for _, groups in told for names, _ in groups for member in names}
    told[-1][1].extend([[member], ""] for member in types if member not in said)
    for paragraph, groups in told:
        rows = []
        for names, text in groups:
            for member in names:
                kind, default = types[member]
                rows.append([code(member), code(kind), given(default), prose(text)])
        parts.append(prose(paragraph))
        if rows:
            parts.append(table(["Member", "Type", "Default", "What it is"], rows))
    return "\n\n".join(parts)


def tables(folder, objects):
    inputs, long = [], []
    for name, body in blocks(folder, "variable"):
        kind, default = attribute(body, "type"), attribute(body, "default")
        shown = code(re.sub(r"object\(\{.*\}\)", "object", kind))
        if "<<-TEXT" in body:
            long.append(object_section(name, body))
            shown = f"[{shown}](#{name})"
        elif kind == "any":
            shown = f"[as in the root module]({objects}#{name})"
        first = sections(description(body))[0][0].strip()
        if "<<-TEXT" in body:
            first = re.split(r"(?<=\.) ", first)[0]
        inputs.append([code(name), shown, given(default), prose(first)])
    outputs = [[code(name), prose(description(body))] for name, body in blocks(folder, "output")]
    return "\n\n".join(
        [
            "## Inputs",
            table(["Input", "Type", "Default", "What it is"], inputs),
            *long,
            "## Outputs",
            table(["Output", "What it is"], outputs),
        ]
    )


def main(check):
    outdated = []
    for file, folder, objects in PAGES:
        path = HERE / file
        before, _, rest = path.read_text().partition(BEGIN)
        _, _, after = rest.partition(END)
        page = f"{before}{BEGIN}\n\n{tables(folder, objects)}\n\n{END}{after}"
        if page != path.read_text():
            outdated.append(file)
            if not check:
                path.write_text(page)
    if check and outdated:
        print(f"out of date: {', '.join(outdated)}; run infra/reference.py", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:] == ["--check"]))
