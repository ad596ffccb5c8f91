"""Jobs in containers: the commits of `datalad containers-run`, in a tree whose annex lies elsewhere."""

from __future__ import annotations

import shutil
import subprocess

import pytest

from tests.job.bench import RAW, TABLE, Bench, clone_of_tree, files_of, message, over
from wtwatch.doors.dataset import record_of, spec_of
from wtwatch.words.model import JobSpec, Outcome

pytestmark = pytest.mark.slow

IMAGE = ".datalad/environments/box/image"

SCRIPT = '#!/bin/sh\nIN_THE_BOX="$DATALAD_CONTAINER_NAME"; export IN_THE_BOX\nexec "$@"\n'
"""An image that is a script: it says to what it starts in which container that is."""

BINDS = "$(echo \"$WTWATCH_BINDS\" | sed 's/-v \\([^:]*\\):[^ ]*/--ro-bind \\1 \\1/g')"
"""What shows a container of bubblewrap the folders that annexed files lead to."""


def has_bubblewrap() -> bool:
    if shutil.which("bwrap") is None:
        return False
    words = ["bwrap", "--ro-bind", "/", "/", "true"]
    return subprocess.run(words, check=False, capture_output=True).returncode == 0


def add(bench: Bench, call: str, *also: str, name: str = "box", dataset: str = "") -> None:
    """Have a dataset of the run tree know a container, by datalad-container itself."""
    image = bench.lab.root / "image"
    image.write_text(SCRIPT)
    where, needs = bench.tree / dataset, [word for path in also for word in ("--extra-input", path)]
    bench.lab.datalad("containers-add", name, "--url", str(image), "--call-fmt", call, *needs, cwd=where)
    bench.lab.say("sh", "-c", f"git annex whereis {IMAGE.replace('box', name)} | grep -q .", cwd=where)


def environment_of(bench: Bench, command: str = "printenv") -> str:
    return f"sh -c '{command} IN_THE_BOX > {{outputs}}; cat {{inputs}} >> {{outputs}}'"


def test_a_job_in_a_container_is_a_commit_as_datalad_container_makes_it(bench: Bench) -> None:
    add(bench, "sh {img} {cmd}", f"{{img_dspath}}/{RAW}", f"{{img_dirpath}}/../../../{TABLE}")
    twin = clone_of_tree(bench, "twin")
    command = environment_of(bench)
    job = bench.do(command, message="Plot", inputs=(TABLE,), outputs=("out.txt",), container="box")
    assert over(job).outcome is Outcome.SUCCEEDED, bench.log(job)
    assert (bench.tree / "out.txt").read_text().startswith("box\n")
    words = ("containers-run", "-n", "box", "-m", "Plot", "-i", TABLE, "-o", "out.txt", command)
    bench.lab.datalad(*words, cwd=twin)
    assert files_of(bench, bench.tree) == files_of(bench, twin)
    record, theirs = record_of(bench.tree, "HEAD"), record_of(twin, "HEAD")
    assert record is not None and theirs is not None
    assert record["extra_inputs"][:2] == [IMAGE, f"./{RAW}"], "in the order in which they were declared"
    for one in (record, theirs):
        one["extra_inputs"].sort()  # datalad-container makes a set of them
    assert {key: value for key, value in record.items() if key != "wtwatch"} == theirs
    spec = spec_of(bench.tree, "HEAD")
    assert spec is not None and spec.inputs == (TABLE, IMAGE, RAW, TABLE) and spec.container is None


def test_one_of_a_subdataset_is_the_same_and_its_record_is_run_again_by_both(bench: Bench) -> None:
    sub = "inputs/L5b_2p"
    add(bench, "sh {img_dirpath}/image {cmd}", name="deep", dataset=sub)
    bench.lab.datalad("save", "-d", ".", "-m", "a container", sub, cwd=bench.tree)
    bench.lab.git("checkout", "-q", "--detach", "HEAD", cwd=bench.tree / sub)
    twin = clone_of_tree(bench, "twin")
    command, name = environment_of(bench), f"{sub}/deep"
    job = bench.do(command, message="Plot", inputs=(RAW,), outputs=("out.txt",), container=name)
    assert over(job).outcome is Outcome.SUCCEEDED, bench.log(job)
    words = ("containers-run", "-n", name, "-m", "Plot", "-i", RAW, "-o", "out.txt", command)
    bench.lab.datalad(*words, cwd=twin)
    assert message(bench, bench.tree, without_ours=True) == message(bench, twin)
    first = bench.head()
    bench.do("echo 1 > unrelated")
    job = bench.wait(bench.start(bench.job_of(JobSpec("shown only", rerun_of=first))))
    assert over(job).outcome in (Outcome.SUCCEEDED, Outcome.UNCHANGED), bench.log(job)
    bench.lab.datalad("rerun", first, cwd=bench.tree)
    assert bench.dirt() == ""


def test_an_image_that_is_not_here_is_fetched(bench: Bench) -> None:
    add(bench, "sh {img} {cmd}")
    store = bench.lab.root / "store"
    store.mkdir()
    kind = ("type=directory", f"directory={store}", "encryption=none")
    for words in (("initremote", "store", *kind), ("move", "-q", "--to", "store", IMAGE)):
        bench.lab.git("annex", *words, cwd=bench.tree)
    assert not (bench.tree / IMAGE).exists()
    job = bench.do(environment_of(bench), outputs=("out.txt",), container="box")
    assert over(job).outcome is Outcome.SUCCEEDED, bench.log(job)
    assert (bench.tree / IMAGE).exists() and (bench.tree / "out.txt").read_text() == "box\n"


def test_a_container_that_is_known_no_more_is_the_reason_of_the_failure(bench: Bench) -> None:
    job = bench.do("true", container="box")
    assert over(job).outcome is Outcome.FAILED and "knows no container 'box'" in str(over(job).detail)
    assert "Traceback" not in bench.log(job) and bench.dirt() == ""


@pytest.mark.skipif(not has_bubblewrap(), reason="bubblewrap is not there, or may not make namespaces here")
def test_a_container_that_sees_the_run_tree_alone_reads_the_annex_of_top_and_subdataset(bench: Bench) -> None:
    root = bench.lab.root
    call = (
        f"bwrap --ro-bind / / --dev /dev --tmpfs {root} --bind $PWD $PWD {BINDS} "
        f"--ro-bind $(readlink -f {{img}}) {root}/box --chdir $PWD {{cmd}}"
    )
    add(bench, call)
    hidden = bench.lab.main / "code"
    command = f"sh -c 'ls {hidden} | wc -l > {{outputs}}; cat {root}/box {{inputs}} >> {{outputs}}'"
    job = bench.do(command, inputs=(TABLE, RAW), outputs=("out.txt",), container="box")
    assert over(job).outcome is Outcome.SUCCEEDED, bench.log(job)
    texts = [(bench.tree / path).read_text() for path in (TABLE, RAW)]
    assert (bench.tree / "out.txt").read_text() == "0\n" + SCRIPT + "".join(texts), "main itself is hidden"
    result = bench.head()
    again = bench.wait(bench.start(bench.job_of(JobSpec("shown only", rerun_of=result))))
    assert over(again).outcome is Outcome.UNCHANGED, bench.log(again)


def test_a_retry_takes_the_image_of_its_time(bench: Bench) -> None:
    add(bench, "sh {img} {cmd}")
    command = "sh -c 'printenv IN_THE_BOX > {outputs}'"
    first = bench.do(command, outputs=("out.txt",), container="box")
    changed = SCRIPT.replace("$DATALAD_CONTAINER_NAME", "new")
    bench.lab.git("rm", "-q", "--cached", IMAGE, cwd=bench.tree)
    (bench.tree / IMAGE).unlink()
    (bench.tree / IMAGE).write_text(changed)
    bench.lab.datalad("save", "-m", "another image", cwd=bench.tree)
    again = bench.wait(bench.start(first._replace(attempt=2, spec=first.spec)))
    assert over(again).outcome is Outcome.SUCCEEDED, bench.log(again)
    assert (bench.tree / "out.txt").read_text() == "new\n"
    record = record_of(bench.tree, "HEAD")
    assert record is not None and record["extra_inputs"] == [IMAGE]
