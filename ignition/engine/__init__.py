# SPDX-License-Identifier: Apache-2.0
"""Run a boot stage from start to end: load the config and the state, perform the steps, write the state.

The sequence is the reference's (docs/reference/stages.md, "Stage sequence"), with two
differences: later stages may run in the same process (`Options.then`), and files that
a stage hands on are written atomically.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from ignition import log
from ignition.boot import pending_stages, record, state, timing
from ignition.boot.record import Record
from ignition.boot.state import State, StateStore
from ignition.config.fetching import configured
from ignition.config.json import cache
from ignition.config.merge import merge
from ignition.configpath import ConfigPath, format_path
from ignition.diagnostics import Severity
from ignition.errors import ConfigError, IgnitionError, NeedNetwork, UsageError
from ignition.host import Host
from ignition.host.devices import BlockDevices
from ignition.host.files import atomic
from ignition.host.root import Root
from ignition.host.run import run as run_command
from ignition.platform import base_configs
from ignition.platform import provider as platform
from ignition.stages import STAGES, Stage, perform
from ignition.text import strerror

if TYPE_CHECKING:
    from ignition.engine.fetch import Fetched
    from ignition.platform.provider import Provider
    from ignition.schemas.config import Config

__all__ = ["Options", "StageFailed", "run"]

FETCH_STAGES: Final = ("fetch-offline", "fetch")
CACHE_MODE: Final = 0o640
ACTING_STAGES: Final = {stage.name: stage for stage in STAGES}


class StageFailed(Exception):
    """A stage ended with an error.

    Attributes:
        stage: the stage's name.
        cause: an `IgnitionError`, an `OSError`, or an unexpected exception.
        place: the place in the user's config, "line 12 of the config from qemu"; empty where unknown.
    """

    def __init__(self, stage: str, cause: Exception, place: str = "") -> None:
        super().__init__(stage)
        self.stage = stage
        self.cause = cause
        self.place = place

    @property
    def exit_status(self) -> int:
        """The exit status of the process."""
        return self.cause.exit_code if isinstance(self.cause, IgnitionError) else 1


@dataclass(frozen=True)
class Options:
    """The engine's command line.

    Attributes:
        platform: platform id.
        stage: the stage to run.
        then: stages to run afterwards in this process, if they have work.
        root: the target root's mount point.
        config_cache: file of the rendered user config.
        neednet: flag file that requests the network.
        state_file: the state file; the other files of a boot are beside it.
        fetch_timeout: time limit for fetching the platform's config, in seconds.
    """

    platform: str
    stage: str
    then: tuple[str, ...] = ()
    root: str = "/"
    config_cache: str = "/run/ignition.json"
    neednet: str = "/run/ignition/neednet"
    state_file: str = "/run/ignition/state"
    fetch_timeout: float = 120.0

    def check(self) -> None:
        """Check the names of the platform and the stages.

        Raises:
            UsageError: the platform or a stage does not exist.
        """
        platform.load(self.platform)
        for stage in (self.stage, *self.then):
            if stage not in ACTING_STAGES and (stage not in FETCH_STAGES or stage in self.then):
                known = ", ".join(sorted((*FETCH_STAGES, *ACTING_STAGES)))
                raise UsageError(f'unknown stage "{stage}", expected one of {known}')

    @property
    def pending_stages(self) -> str:
        """The directory of the pending-stage files."""
        return pending_stages.directory_beside(self.state_file)


@dataclass
class Boot:
    """The boot as this process knows it; passed from stage to stage.

    Attributes:
        options: the command line.
        provider: the platform's provider.
        states: the state of all stages.
        base: the merged base configs; None if the image has none.
        user: the user's config; None until it is fetched or read from the cache.
        awaits_config: whether fetching the config needs the network.
        awaited: places in the config whose resources need the network.
    """

    options: Options
    provider: Provider
    states: StateStore
    base: Config | None = None
    user: Config | None = field(default=None, repr=False)
    awaits_config: bool = False
    awaited: tuple[ConfigPath, ...] = ()

    def full(self) -> Config:
        """Return the config that stages apply: the user's config merged over the base configs."""
        if self.user is None:
            self.user = read_cache(self.options.config_cache)
        return self.user if self.base is None else merge(self.base, self.user)


def run(options: Options) -> None:
    """Run the stage, and the stages of `then` that have work.

    Raises:
        StageFailed: a stage failed; the stages after it were not begun. State that its actions
            persisted is on disk.
    """
    started: float | None = timing.process_started()
    boot: Boot | None = None
    for stage in (options.stage, *options.then):
        if boot is not None:
            if must_wait(boot, stage):
                return
            if not pending_stages.is_pending(options.pending_stages, stage):
                continue
        with failing(stage, options), timing.span(timing.path_beside(options.state_file), stage, started):
            started = None
            log.info(f"Stage: {stage}")
            with recorded(stage, options):
                boot = boot or begin(options)
                with log.prefix(stage):
                    run_stage(boot, stage)
            with log.prefix(stage):
                log.info(f"{stage} passed")


def must_wait(boot: Boot, stage: str) -> bool:
    """Whether the stage has to wait for the network: for the config, or for a resource that it fetches."""
    if boot.awaits_config:
        return True
    return any(ACTING_STAGES[stage].needs(resource) for resource in boot.awaited)


@contextmanager
def failing(stage: str, options: Options) -> Iterator[None]:
    """Turn any exception inside the block into a failure of this stage."""
    try:
        yield
    except Exception as error:
        raise StageFailed(stage, error, place_of(error, options)) from error


@contextmanager
def recorded(stage: str, options: Options) -> Iterator[None]:
    """Record the actions inside the block, and how the stage ends."""
    written = Record(record.path_beside(options.state_file))
    written.begin(stage)
    try:
        with record.writing(written):
            yield
    except Exception as error:
        written.end(error, path_of(error))
        raise
    else:
        written.end()
    finally:
        written.close()


def path_of(error: Exception) -> ConfigPath | None:
    """Return the place in the config that an error belongs to; of a report, the first error's."""
    if isinstance(error, ConfigError) and error.path is None:
        return next((entry.path for entry in error.report if entry.severity is Severity.ERROR), None)
    return error.path if isinstance(error, IgnitionError) else None


def place_of(error: Exception, options: Options) -> str:
    """Return the line of the user's config that an error belongs to; empty where unknown."""
    from ignition.boot import provenance

    path = path_of(error)
    if path is None:
        return ""
    try:
        below = base_configs.load(options.platform)
    except IgnitionError:
        return ""
    return provenance.place(provenance.path_beside(options.state_file), below, path)


def begin(options: Options) -> Boot:
    """Load the provider, the state and the base configs."""
    provider = platform.load(options.platform)
    states = StateStore(state.read(options.state_file), options.state_file)
    return Boot(options, provider, states, base_configs.load(provider.name))


def run_stage(boot: Boot, stage: str) -> None:
    """Run one stage."""
    if stage in FETCH_STAGES:
        fetch_stage(boot, offline=stage == "fetch-offline")
    else:
        act(boot, ACTING_STAGES[stage])


def act(boot: Boot, stage: Stage) -> None:
    """Run a stage that changes the machine."""
    config, host = boot.full(), host_for(boot)
    try:
        perform(stage, config, host, boot.states)
    except Exception:
        copy_record(stage, config, host)
        raise
    boot.states.replace(boot.states.state.without_keys() if stage.clears_keys else boot.states.state)
    pending_stages.remove(boot.options.pending_stages, stage.name)


def copy_record(stage: Stage, config: Config, host: Host) -> None:
    """After a failure, copy the record into the target root if that is mounted."""
    from ignition.stages.files.keep_record import copy_after_failure

    copy_after_failure(stage.name, config, host.root)


def host_for(boot: Boot) -> Host:
    """Return the host for the stages; downloads follow the network settings of the user's config."""
    fetcher = boot.provider.fetcher()
    if boot.user is not None:
        fetcher = configured(fetcher, boot.user)
    return Host(
        run=record.watched(run_command),
        root=Root(boot.options.root, record.add_change),
        devices=BlockDevices(),
        fetch=fetcher,
    )


def fetch_stage(boot: Boot, *, offline: bool) -> None:
    """Fetch the config and publish it; offline, request the network if something needs it."""
    from ignition.config.network import needs_network
    from ignition.engine.fetch import fetch_config

    options = boot.options
    remove_earlier_failure(options)
    try:
        fetched = fetch_config(boot.provider, run_command, timeout=options.fetch_timeout, offline=offline)
    except NeedNetwork as need:
        if not offline:
            raise
        log.info(f"requesting the network: {need}")
        request_network(options.neednet, need.paths)
        boot.awaits_config = True
        return
    publish(boot, fetched)
    if offline and (paths := needs_network(boot.full())):
        log.info(f"requesting the network for {', '.join(map(format_path, paths))}")
        request_network(options.neednet, paths)
        boot.awaited = paths


def remove_earlier_failure(options: Options) -> None:
    """Remove the failure card and the provenance file of an earlier try."""
    from ignition.boot import provenance

    beside = os.path.dirname(options.state_file)
    for path in (os.path.join(beside, "failure"), provenance.path_beside(options.state_file)):
        try:
            os.unlink(path)
        except FileNotFoundError:
            continue


def publish(boot: Boot, fetched: Fetched) -> None:
    """Validate the config and write the files of the later stages; the config cache last."""
    from ignition.boot import provenance
    from ignition.config.validate import check_merged

    options = boot.options
    if fetched.documents is not None:
        provenance.save(provenance.path_beside(options.state_file), fetched.documents)
    log.report(check_merged(fetched.config))
    boot.user = fetched.config
    fetched_state = boot.states.state + fetched.record(with_base=boot.base is not None)
    announce(fetched_state)
    full = boot.full()
    pending_stages.write(options.pending_stages, [stage.name for stage in STAGES if stage.wanted(full)])
    boot.states.replace(fetched_state)
    atomic.write(options.config_cache, cache.dump(fetched.config), CACHE_MODE)


def read_cache(path: str) -> Config:
    """Read the user's config that the fetch stage rendered."""
    try:
        with open(path, "rb") as file:
            return cache.load(file.read())
    except OSError as error:
        raise IgnitionError(
            f"cannot read the config cache {path}: {strerror(error)}",
            hint="run the stage fetch-offline or fetch first; they write this file",
        ) from error


def request_network(path: str, paths: tuple[ConfigPath, ...]) -> None:
    """Write the flag file that makes the system bring the network up; lists the config paths that need it."""
    os.makedirs(os.path.dirname(path) or ".", mode=0o755, exist_ok=True)
    with open(path, "w", encoding="utf-8") as file:
        file.writelines(f"{format_path(needy)}\n" for needy in paths)


def announce(fetched: State) -> None:
    """Send the configs of this boot to the journal (docs/reference/stages.md, "Journal entries")."""
    for config in fetched.fetched:
        kind = f"referenced {config.kind}" if config.referenced else config.kind
        log.journal(
            f'fetched {kind} config from "{config.source}"',
            {
                "MESSAGE_ID": "57124006b5c94805b77ce473e92a8aeb",
                "IGNITION_CONFIG_TYPE": config.kind,
                "IGNITION_CONFIG_SRC": config.source,
                "IGNITION_CONFIG_REFERENCED": str(config.referenced).lower(),
            },
        )
