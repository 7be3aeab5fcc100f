"""Entries of a state log as tests, contests and measurements write them."""

from __future__ import annotations

from provisioning.core.model.errors import Source
from provisioning.core.model.ids import CommitId, ResourceId, RunId
from provisioning.core.model.records import Begin, Holder, Lock, Record, Result, Run
from provisioning.core.model.values import Digest, Sensitive, Unknown
from provisioning.core.statelog.entries import compute_begin, compute_record
from provisioning.core.statelog.transitions import LogView, build_run_id, next_token

NOW = "2030-01-01T00:00:00Z"
COMMIT, DIGEST = CommitId("1" * 40), Digest("sha256:00")


def name_run(view: LogView, nonce: int = 0) -> RunId:
    return build_run_id(next_token(view), nonce.to_bytes(3, "big"))


def make_lock(view: LogView, run: RunId | None) -> Lock:
    return Lock(
        token=next_token(view),
        holder=Holder("ada", "host"),
        reason="why",
        acquired_at=NOW,
        renewed_at=NOW,
        ttl=300.0,
        run=run,
    )


def make_begin(run: RunId) -> Begin:
    return Begin(run=run, actor="ada", reason="why", commit=COMMIT, digest=DIGEST, started_at=NOW)


def begin(log, view, nonce=0):
    run = name_run(view, nonce)
    return log.append(view, compute_begin(view, make_lock(view, run), make_begin(run)))


def record(log, view, records=None):
    run = Run(
        run=view.begin.run,
        actor="ada",
        reason="why",
        commit=COMMIT,
        digest=DIGEST,
        result=Result.DONE,
        started_at=NOW,
        finished_at=NOW,
    )
    return log.append(view, compute_record(view, run, {}), records)


def make_record(name: str, **spec) -> Record:
    return Record(
        id=ResourceId(name),
        kind="Value",
        provider="local",
        spec=spec,
        attributes={"output": Sensitive("hmac-sha256:00"), "$key": Unknown("Value/a.output")},
        run=RunId("1-000000"),
        operation=1,
        source=Source("infra/web/a.yaml", 1),
    )
