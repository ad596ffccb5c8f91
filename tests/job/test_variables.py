"""What a job's command finds in its environment is what was declared, and the record says so."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.bring.test_code_as_paths import run
from tests.pathhouse import PathHouse
from wtwatch.job import lifecycle
from wtwatch.job.attempt import Folder
from wtwatch.project import settings
from wtwatch.project.jobenv import for_jobs
from wtwatch.project.variables import Made, Wanted, binds, made
from wtwatch.views.factlines import spec_facts, without_secrets
from wtwatch.words.errors import UsageError, WtwatchError
from wtwatch.words.model import Ended, JobSpec, Outcome
from wtwatch.words.variables import declared, expanded


def command_of(tmp_path: Path, base: dict[str, str] | None = None, **wanted: Any) -> Made:
    return made(base or {"PATH": "/usr/bin:/bin", "HOME": "/h"}, Wanted(**wanted), tmp_path)


def test_declared_variables_build_on_each_other_and_on_what_is_there(tmp_path: Path) -> None:
    wanted = (("FSLDIR", "/opt/fsl"), ("PATH", "$FSLDIR/bin:${PATH}"), ("PRICE", "$$5 $NOTHING"))
    found = command_of(tmp_path, env=wanted).env
    assert found["PATH"] == "/opt/fsl/bin:/usr/bin:/bin" and found["PRICE"] == "$5 $NOTHING"
    assert expanded({}, ()) == {}


def test_what_one_job_is_given_counts_more_and_is_taken_as_it_is(tmp_path: Path) -> None:
    found = command_of(tmp_path, env=(("A", "all"),), setenv=(("A", "$HOME"),))
    assert found.env["A"] == "$HOME" and found.record(tmp_path)["setenv"] == {"A": "$HOME"}


def test_a_preamble_s_difference_is_what_a_command_gets(tmp_path: Path) -> None:
    found = command_of(
        tmp_path, preamble="echo loud; module() { export $1=loaded; }; module FSL\nunset HOME; cd /"
    )
    assert found.env["FSL"] == "loaded" and "HOME" not in found.env and found.own == ("FSL", "HOME")
    assert not {"PWD", "SHLVL", "_", "OLDPWD"} & set(found.env)


@pytest.mark.parametrize(
    ("preamble", "why"),
    [
        ("echo no such module >&2; false", "exit 1.*no such module"),
        ("exit 0", "exit 0.*printed nothing"),
        ("if", "syntax error"),
    ],
)
def test_a_preamble_that_fails_starts_nothing_and_says_why(tmp_path: Path, preamble: str, why: str) -> None:
    with pytest.raises(WtwatchError, match=why):
        command_of(tmp_path, preamble=preamble)


def test_a_conda_prefix_is_activated_by_its_own_scripts_before_the_preamble(tmp_path: Path) -> None:
    prefix = tmp_path / "code/.venv"
    scripts = prefix / "etc/conda/activate.d"
    scripts.mkdir(parents=True)
    (scripts / "a bet.sh").write_text("export BETDIR=$CONDA_PREFIX/bet; echo loud\n")
    (scripts / "b.sh").write_text("export ORDER=b; false\n")
    base = {"PATH": "/usr/bin:/bin", "CONDA_PREFIX": str(prefix)}
    found = command_of(tmp_path, base, preamble="export ORDER=$ORDER-then")
    assert (found.env["BETDIR"], found.env["ORDER"]) == (f"{prefix}/bet", "b-then")
    assert found.own == ("BETDIR", "ORDER")
    other = command_of(tmp_path, {**base, "CONDA_PREFIX": str(tmp_path / "none")})
    assert "BETDIR" not in other.env


def test_a_name_alone_is_taken_from_the_shell_that_asks() -> None:
    assert declared(["A", "B=x=y", "C="], {"A": "1"}) == (("A", "1"), ("B", "x=y"), ("C", ""))


@pytest.mark.parametrize("text", ["", "=x", "A B=1", "1A=2", "NOT_THERE", "WTWATCH_LOCK=3", "ü=1"])
def test_what_is_no_variable_is_refused(text: str) -> None:
    with pytest.raises(UsageError) as caught:
        declared([text], {})
    assert caught.value.hint


def test_a_secret_is_in_the_command_and_in_no_record(tmp_path: Path) -> None:
    found = command_of(tmp_path, env=(("TOKEN", "s3cret"),), secret=("TOKEN",))
    assert found.env["TOKEN"] == "s3cret" and "s3cret" not in str(found.record(tmp_path))
    assert found.record(tmp_path)["env"] == {"TOKEN": None}
    other = command_of(tmp_path, env=(("TOKEN", "another"),), secret=("TOKEN",))
    assert found.record(tmp_path) == other.record(tmp_path), "nobody can try values out on the digest"


def test_a_secret_is_on_no_screen() -> None:
    spec = JobSpec("true", setenv=(("TOKEN", "s3cret"), ("SITE", "lab")))
    shown = dict(spec_facts(without_secrets(spec, ("TOKEN",)), "true"))
    assert shown == {"command": "true", "variables": "TOKEN=(secret)", "": "SITE=lab"}


def test_the_digest_is_of_what_can_change_a_result(tmp_path: Path) -> None:
    def digest(base: dict[str, str], where: Path = tmp_path, **wanted: Any) -> str:
        return str(command_of(where, base, **wanted).record(where)["digest"])

    base = {"PATH": f"{tmp_path}/code/.venv/bin:/s/tools-1:/usr/bin:/bin", "LANG": "C.UTF-8", "HOME": "/h"}
    moved = {"PATH": "/else/code/.venv/bin:/t/tools-2:/usr/bin:/bin", "HOME": "/i", "LANG": "C.UTF-8"}
    access = {"SSH_AUTH_SOCK": "/run/x", "CUDA_VISIBLE_DEVICES": "1", "WTWATCH_ATTEMPT": "u"}
    assert digest(base) == digest(base | access) == digest(moved, Path("/else"))
    assert len({digest(base), digest(base | {"LANG": "C"}), digest(base, env=(("A", "1"),))}) == 3


def test_containers_are_told_of_every_git_directory_that_annexed_files_lead_through(tmp_path: Path) -> None:
    house = PathHouse(tmp_path)
    sub = house.main / "in" / "sub"
    for words in (("init", "-q", str(sub)), ("-C", str(sub), "commit", "-q", "--allow-empty", "-m", "x")):
        subprocess.run(["git", *words], check=True)
    house.git("worktree", "add", "-q", "--detach", str(house.run / "in/sub"), cwd=sub)
    found = binds(house.run, ["", "in/sub"], house.main)
    places = [str(house.main / ".git"), str(sub / ".git")]
    assert found["APPTAINER_BIND"].split(",") == [f"{place}:{place}:ro" for place in places]
    assert found["SINGULARITY_BIND"] == found["APPTAINER_BIND"]
    assert found["WTWATCH_BINDS"].split()[1::2] == found["APPTAINER_BIND"].split(",")
    many = binds(house.run, ["", *["in/sub"] * 50], house.main)
    assert many == found, "the same one is named once"


def test_jobs_get_what_is_declared_and_no_more_and_their_limits(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SECRET_OF_THE_SHELL", "x")
    house = PathHouse(
        tmp_path, env=(("SITE", "lab"),), limits=(("umask", "027"), ("nice", "3")), preamble="P=1"
    )
    house.project = settings.change(house.project, "env.OMP_NUM_THREADS", "2")
    spec = JobSpec("env > seen; umask >> seen; nice >> seen", plain=True, setenv=(("FOR", "this"),))
    (job,) = run(house, spec)
    seen = (house.run / "seen").read_text().splitlines()
    assert job.word == Outcome.SUCCEEDED.value
    assert {"SITE=lab", "OMP_NUM_THREADS=2", "FOR=this", "PYTHONNOUSERSITE=1", "0027", "3"} <= set(seen)
    names = {line.partition("=")[0] for line in seen}
    assert not names & {"SECRET_OF_THE_SHELL", "P", "WTWATCH_LOCK"} and "APPTAINER_BIND" in names
    order = Folder.of(house.project.state, job.id, job.attempt).order()
    assert order is not None and order.wanted.env == house.project.env and order.spec == spec


def test_a_job_whose_preamble_fails_has_failed_with_the_reason(tmp_path: Path) -> None:
    house = PathHouse(tmp_path, preamble="echo no module fsl >&2; false")
    (job,) = run(house, JobSpec("touch made", plain=True))
    assert isinstance(job.state, Ended) and job.state.outcome is Outcome.FAILED
    assert "no module fsl" in str(job.state.detail) and not (house.run / "made").exists()
    assert "no module fsl" in lifecycle.log_file(house.tree, job).read_text()


def test_settings_of_variables_and_limits_have_names(tmp_path: Path) -> None:
    house = PathHouse(tmp_path)
    for key, text in (("env.FSLDIR", "/opt/fsl"), ("env.PATH", "$FSLDIR/bin:$PATH"), ("limits.nice", "5")):
        house.project = settings.change(house.project, key, text)
    assert house.project.env == (("FSLDIR", "/opt/fsl"), ("PATH", "$FSLDIR/bin:$PATH"))
    assert settings.value_of(house.project, "env.FSLDIR") == "/opt/fsl"
    assert settings.value_of(house.project, "env") == "FSLDIR=/opt/fsl,PATH=$FSLDIR/bin:$PATH"
    assert settings.change(house.project, "env.FSLDIR", "default").env == house.project.env[1:]
    for key, text in (
        ("env", "A=1"), ("env.", "x"), ("env.A B", "x"), ("limits.nice", "50"), ("limits.colour", "1"),
        ("limits.umask", "rwx"), ("name.x", "y"),
    ):  # fmt: skip
        with pytest.raises(UsageError) as caught:
            settings.change(house.project, key, text)
        assert caught.value.hint


def test_exec_finds_what_a_job_finds(tmp_path: Path) -> None:
    house = PathHouse(tmp_path)
    base = for_jobs(house.tree)
    assert os.environ["HOME"] == base["HOME"] and base["LANG"] == "C.UTF-8" and base["TZ"]
