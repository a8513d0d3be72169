"""Transcripts of command lines (../shared/golden/cli): reading them, and comparing what a line prints now.

    $ a line for the shell          expected standard output follows, standard error with "! " before it
    # exit N                        its exit status; a line without one ends with an empty line
    # other text                    a heading

`<...>` in an expected line stands for what varies; alone in a line, some words stand for any number of lines."""
import difflib
import re

MANY_LINES = {"<table of all options>", "<usage>", "<the same line again and again>"}
PLACEHOLDER = re.compile(r"<[A-Za-z][A-Za-z -]*>")


class Step:
    def __init__(self, path, number, command):
        self.where, self.command = f"{path}:{number}", command
        self.out, self.err, self.status = [], [], None

    def __repr__(self):
        return f"{self.where} $ {self.command}"


def parse(path, name):
    steps, step, pending = [], None, []
    for number, line in enumerate(open(path, encoding="utf-8").read().split("\n"), 1):
        exit_line = re.fullmatch(r"# exit (\d+)", line)
        if line.startswith("$ "):
            step = Step(name, number, line[2:])
            steps.append(step)
            # Only files being made, jobs in the background and their end have no exit status.
            step.open = not re.match(r"cat > |kill |.* &$", step.command)
            pending = []
        elif step is None or (line.startswith("# ") and not exit_line and not step.open):
            continue
        elif exit_line:
            step.status, step = int(exit_line.group(1)), None
        elif line.startswith("! ") or line == "!":
            step.err.append(line[2:])
        elif step.open or line:
            step.out.append(line)
        else:
            step = None
    return steps


def _pattern(line):
    """A line as an expression in which placeholders match anything."""
    return r"\s*.+?\s*".join(re.escape(part) for part in PLACEHOLDER.split(line))


def _clean(text, replace):
    lines = text.split("\n")
    if lines and lines[-1] == "":
        lines.pop()
    lines = [re.sub(r"adminclient-\d+", "adminclient-1", line) for line in lines]  # counted in the JVM
    lines = [line for line in lines if not re.match(r"\t+(at |\.\.\. \d+ more)", line)]
    for old, new in replace:
        lines = [line.replace(old, new) for line in lines]
    return [_columns(line) for line in lines]


def _columns(line):
    """Columns are as wide as what else there was at the time (the tools see to that, not the server)."""
    return re.sub(r" {2,}", "  ", line.rstrip(" "))


def _matches(expected, actual):
    e = a = 0
    while e < len(expected):
        if expected[e] in MANY_LINES:
            rest = expected[e + 1:]
            return any(_matches(rest, actual[k:]) for k in range(a, len(actual) + 1))
        if a == len(actual) or not re.fullmatch(_pattern(expected[e]), actual[a]):
            return False
        e, a = e + 1, a + 1
    return a == len(actual)


def compare(step, out, err, status, replace):
    """None when it is as recorded, else a text that shows both. replace: pairs that turn addresses back."""
    wrong = []
    err = err.rstrip("\n") + "\n" if err.rstrip("\n") else ""  # recordings leave out the last empty lines
    for what, expected, actual in (("stdout", step.out, out), ("stderr", step.err, err)):
        expected, actual = [_columns(line) for line in expected], _clean(actual, replace)
        if what == "stderr":
            while expected and not expected[-1]:
                expected.pop()
        if not _matches(expected, actual):
            wrong.append(f"  {what}: - recorded, + now")
            wrong += ["    " + line for line in difflib.unified_diff(expected, actual[:100], n=0, lineterm="") if line[:3] not in ("---", "+++")]
    if step.status is not None and step.status != status:
        wrong.append(f"  exit {step.status} recorded, {status} now")
    return "\n".join([repr(step)] + wrong) if wrong else None
