"""One stage from start to end: load what is known, do the work, leave what the next one needs.

The order of things is the reference's (engine.md sections 3 to 5), with two
differences: later stages may run in the same process (`Options.then`), and what
a stage leaves is written atomically.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from ignition import log
from ignition.boot import pending_stages, record, state, timing
from ignition.boot.record import Record
from ignition.config.fetching import settings_of
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
from ignition.stages import STAGES, Stage, keeping, perform

if TYPE_CHECKING:
    from ignition.boot.state import State
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
        stage: its name.
        cause: an `IgnitionError`, an `OSError`, or a fault of the engine itself.
        place: where the config speaks of what failed: "line 12 of the config from qemu".
    """

    def __init__(self, stage: str, cause: Exception, place: str = "") -> None:
        super().__init__(stage)
        self.stage = stage
        self.cause = cause
        self.place = place

    @property
    def exit_status(self) -> int:
        """The status with which the process ends."""
        return self.cause.exit_code if isinstance(self.cause, IgnitionError) else 1


@dataclass(frozen=True)
class Options:
    """The engine's command line.

    Attributes:
        platform: platform id.
        stage: the stage to run.
        then: stages to go on with in this process, those of them that have work.
        root: where the machine's filesystem is mounted.
        config_cache: file of the rendered user config.
        neednet: flag file that says that the network is needed.
        state_file: the record that stages leave; gates and timing lie beside it.
        fetch_timeout: seconds that fetching the platform's config may take.
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
        """Refuse names that do not exist.

        Raises:
            UsageError: there is no such platform or stage.
        """
        platform.load(self.platform)
        for stage in (self.stage, *self.then):
            if stage not in ACTING_STAGES and (stage not in FETCH_STAGES or stage in self.then):
                known = ", ".join(sorted((*FETCH_STAGES, *ACTING_STAGES)))
                raise UsageError(f'unknown stage "{stage}"; there are {known}')

    @property
    def gates(self) -> str:
        """The directory of the stages' gates."""
        return pending_stages.directory_beside(self.state_file)


@dataclass
class Boot:
    """What this process knows of the boot, as it goes from stage to stage.

    Attributes:
        options: the command line.
        provider: the platform's.
        state: what stages leave; read at the start, written whenever an action leaves something.
        base: the image's own configs, merged.
        user: the user's config, once it is known.
        awaits_config: whether the config itself has to come over the network.
        awaited: what else has to, by place in the config.
        lock: held while the state changes; actions run side by side.
    """

    options: Options
    provider: Provider
    state: State
    base: Config | None = None
    user: Config | None = field(default=None, repr=False)
    awaits_config: bool = False
    awaited: tuple[ConfigPath, ...] = ()
    lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def keep(self, left: State) -> None:
        """Write down what an action has left, at once: another try of its stage must know it too."""
        with self.lock:
            joined = self.state + left
            if joined != self.state:
                self.state = joined
                state.write(self.options.state_file, joined)

    def full(self) -> Config:
        """The config that stages apply: the user's over the image's."""
        if self.user is None:
            self.user = read_cache(self.options.config_cache)
        return self.user if self.base is None else merge(self.base, self.user)


def run(options: Options) -> None:
    """Run the stage, and those after it that the options name and that have work.

    Raises:
        StageFailed: a stage failed; those after it were not begun. What its actions have left is saved.
    """
    started: float | None = timing.process_started()
    boot: Boot | None = None
    for stage in (options.stage, *options.then):
        if boot is not None:
            if must_wait(boot, stage):
                return
            if not pending_stages.is_open(options.gates, stage):
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
    """Whether the stage cannot follow at once: the config, or what the stage fetches, is yet to come."""
    if boot.awaits_config:
        return True
    return any(ACTING_STAGES[stage].needs(resource) for resource in boot.awaited)


@contextmanager
def failing(stage: str, options: Options) -> Iterator[None]:
    """Whatever goes wrong inside is this stage's failure."""
    try:
        yield
    except Exception as error:
        raise StageFailed(stage, error, place_of(error, options)) from error


@contextmanager
def recorded(stage: str, options: Options) -> Iterator[None]:
    """Write down what is done inside, and how it ends."""
    kept = Record(record.path_beside(options.state_file))
    kept.begin(stage)
    try:
        with record.writing(kept):
            yield
    except Exception as error:
        kept.end(error, path_of(error))
        raise
    else:
        kept.end()
    finally:
        kept.close()


def path_of(error: Exception) -> ConfigPath | None:
    """The path in the config that an error speaks of; the first one of a report."""
    if isinstance(error, ConfigError) and error.path is None:
        return next((entry.path for entry in error.report if entry.severity is Severity.ERROR), None)
    return error.path if isinstance(error, IgnitionError) else None


def place_of(error: Exception, options: Options) -> str:
    """Where the user's config speaks of what failed, if the error knows its path in the config."""
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
    """Load what stands before the first stage of this process."""
    provider = platform.load(options.platform)
    left = state.read(options.state_file)
    return Boot(options, provider, left, base_configs.load(provider.name))


def run_stage(boot: Boot, stage: str) -> None:
    """Run one stage."""
    if stage in FETCH_STAGES:
        fetch_stage(boot, offline=stage == "fetch-offline")
    else:
        act(boot, ACTING_STAGES[stage])


def act(boot: Boot, stage: Stage) -> None:
    """Run a stage that acts on the machine, and save what it leaves; if it fails, what it has left so far."""
    config, host = boot.full(), host_for(boot)
    try:
        with keeping(boot.keep):
            perform(stage, config, host, boot.state)
    except Exception:
        leave_record(stage, config, host)
        raise
    if stage.clears_keys:
        boot.state = boot.state.without_keys()
    state.write(boot.options.state_file, boot.state)
    pending_stages.close(boot.options.gates, stage.name)


def leave_record(stage: Stage, config: Config, host: Host) -> None:
    """After a failure, leave the record where the machine's owner will look for it, if that is there."""
    from ignition.stages.files.keep_record import keep_failed

    keep_failed(stage.name, config, host.root)


def host_for(boot: Boot) -> Host:
    """The world as the stages get it; downloads follow the user's network settings."""
    fetcher = boot.provider.fetcher()
    if boot.user is not None:
        fetcher = fetcher.with_settings(settings_of(boot.user, fetcher))
    return Host(
        run=record.watched(run_command),
        root=Root(boot.options.root, record.changed),
        devices=BlockDevices(),
        fetch=fetcher,
    )


def fetch_stage(boot: Boot, *, offline: bool) -> None:
    """Get the config and publish it; offline, ask for the network if something has to come over it."""
    from ignition.config.network import needs_network
    from ignition.engine.fetch import fetch_config

    options = boot.options
    forget_earlier_tries(options)
    try:
        fetched = fetch_config(boot.provider, run_command, timeout=options.fetch_timeout, offline=offline)
    except NeedNetwork as need:
        if not offline:
            raise
        log.info(f"the network is needed: {need}")
        ask_for_network(options.neednet, need.paths)
        boot.awaits_config = True
        return
    publish(boot, fetched)
    if offline and (paths := needs_network(boot.full())):
        log.info(f"the network is needed by {', '.join(map(format_path, paths))}")
        ask_for_network(options.neednet, paths)
        boot.awaited = paths


def forget_earlier_tries(options: Options) -> None:
    """Remove what a try that failed has left to explain itself."""
    from ignition.boot import provenance

    beside = os.path.dirname(options.state_file)
    for path in (os.path.join(beside, "failure"), provenance.path_beside(options.state_file)):
        try:
            os.unlink(path)
        except FileNotFoundError:
            continue


def publish(boot: Boot, fetched: Fetched) -> None:
    """Judge the config and, if it is good, write down what the later stages go by; the cache comes last."""
    from ignition.boot import provenance
    from ignition.config.validate import check_merged

    options = boot.options
    if fetched.documents is not None:
        provenance.save(provenance.path_beside(options.state_file), fetched.documents)
    log.report(check_merged(fetched.config))
    boot.user = fetched.config
    boot.state = boot.state + fetched.record(with_base=boot.base is not None)
    announce(boot.state)
    full = boot.full()
    pending_stages.write(options.gates, [stage.name for stage in STAGES if stage.wanted(full)])
    state.write(options.state_file, boot.state)
    atomic.write(options.config_cache, cache.dump(fetched.config), CACHE_MODE)


def read_cache(path: str) -> Config:
    """The user's config as the fetch stage left it."""
    try:
        with open(path, "rb") as file:
            return cache.load(file.read())
    except OSError as error:
        raise IgnitionError(
            f"couldn't read the config cache {path}: {error.strerror}",
            hint="the stages fetch-offline and fetch write it; one of them has to pass first",
        ) from error


def ask_for_network(path: str, paths: tuple[ConfigPath, ...]) -> None:
    """Write the flag file that makes the system bring the network up; it names who needs it."""
    os.makedirs(os.path.dirname(path) or ".", mode=0o755, exist_ok=True)
    with open(path, "w", encoding="utf-8") as file:
        file.writelines(f"{format_path(needy)}\n" for needy in paths)


def announce(left: State) -> None:
    """Tell the journal which configs made up this boot's (engine.md section 10.3)."""
    for config in left.fetched:
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
