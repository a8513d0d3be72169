"""tools/live.sh runs the tests that it is given, and all of them when it is given none. They are listed here, not run."""
import os
import subprocess

import pytest

HERE = os.path.dirname(os.path.abspath(__file__))
REPOSITORY = os.path.dirname(os.path.dirname(HERE))
ONE = "test_without_a_mongod_one_line_says_what_to_do"


def live(*args, cwd=REPOSITORY):
    result = subprocess.run([os.path.join(REPOSITORY, "tools/live.sh"), *args, "--collect-only"], cwd=cwd, capture_output=True, text=True, timeout=120)
    return result, [line.split("::") for line in result.stdout.splitlines() if "::" in line]


@pytest.mark.parametrize("given, cwd", [("test_demo.py", REPOSITORY), ("tests/live/test_demo.py::" + ONE, REPOSITORY),
                                        ("./test_demo.py", HERE), (os.path.join(HERE, "test_demo.py") + "::" + ONE, "/")])
def test_a_file_however_it_is_named(given, cwd):
    result, tests = live(given, cwd=cwd)
    assert result.returncode == 0 and {t[0] for t in tests} == {"test_demo.py"} and [ONE] in [t[1:] for t in tests], result
    assert (len(tests) == 1) == ("::" in given), tests


def test_a_file_below_a_folder_and_a_folder():
    _, tests = live("test_note_000.py", "lab")
    assert {t[0] for t in tests} == {"classroom/test_note_000.py", "lab/test_lab_brokers.py"}


def test_words_of_options_are_no_tests():
    _, tests = live("-k", "lab", "test_demo.py", "test_lab_brokers.py")  # there is such a folder, too
    assert {t[0] for t in tests} == {"lab/test_lab_brokers.py"}


def test_what_is_nowhere_runs_nothing():
    result, tests = live("test_no_such_thing.py")
    assert result.returncode == 2 and not tests and result.stderr.startswith("live.sh: there is no test test_no_such_thing.py; "), result
