"""Which graphics cards of this host an attempt gets: never one that a living job has."""

from __future__ import annotations

from wtwatch.doors import capacity
from wtwatch.job.attempt import Folder
from wtwatch.project.config import Project
from wtwatch.queue import sharing
from wtwatch.queue.jobs import Queue
from wtwatch.words import executors, resources
from wtwatch.words.model import Job
from wtwatch.words.variables import Variables


def dealt(project: Project, job: Job) -> Variables:
    """Return the variable that tells a job its cards; none where a cluster does."""
    if not job.spec.gpus or executors.of(project.executor).kind != "here":
        return ()
    have = capacity.of_this_host()
    living = (one for one in Queue(project.state).living() if one.id != job.id)
    orders = [Folder.of(project.state, one.id, one.attempt).order() for one in living]
    given = (dict(order.allocated).get(have.variable, "") for order in orders if order)
    taken = {card for cards in given for card in cards.split(",")}
    cards = sharing.deal(have, taken, resources.of(job.spec))
    return ((have.variable, ",".join(cards)),)
