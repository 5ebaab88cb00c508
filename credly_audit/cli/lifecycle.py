"""What `rotate` and `create` share: their options, the tasks made of them, agreement, and the report."""

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import click

from credly_audit.cli.collecting import credential_maker
from credly_audit.cli.options import config_option, talk_options, together
from credly_audit.config.settings import Organization, Settings
from credly_audit.errors import ExitCode, Interrupted, UsageError
from credly_audit.fingerprint import Fingerprints
from credly_audit.lifecycle import report
from credly_audit.lifecycle.campaign import Campaign, Result
from credly_audit.lifecycle.emergency import emergency_folder, must_hold_copies
from credly_audit.lifecycle.locks import lock_name
from credly_audit.lifecycle.preparing import Plan
from credly_audit.lifecycle.states import Action, Outcome, exit_code_of
from credly_audit.lifecycle.stores import CommandStore, run
from credly_audit.lifecycle.tasks import Task, Then
from credly_audit.secrets import (
    ClientCredentials,
    Secret,
    SecretError,
    Unavailable,
    credentials,
    fingerprint_key,
    is_place,
    is_reference,
    read,
)

lifecycle_options = together(
    config_option,
    click.option(
        "--credential",
        metavar="REF",
        help="Another token of the organization: env:NAME, file:PATH, exec:COMMAND or keyring:SERVICE/USER.",
    ),
    click.option(
        "--read-back",
        metavar="REF|none",
        help="Where the stored value must be readable in the end, for up to 60 s; {id} is filled in.",
    ),
    click.option(
        "--then",
        metavar="exec:COMMAND",
        help="Run when the new value is stored and proved; it never gets the value.",
    ),
    click.option(
        "--emergency-dir",
        type=click.Path(file_okay=False, path_type=Path),
        help="Where a value goes that the store did not take; by default the user's state directory.",
    ),
    click.option("--dry-run", is_flag=True, help="Ask nothing but GETs, write nothing."),
    click.option("--yes", is_flag=True, help="Do not ask; needed off a terminal."),
    click.option("--format", "form", type=click.Choice(["text", "json"]), default="text", show_default=True),
    talk_options,
)


@dataclass(frozen=True, slots=True)
class Asked:
    """The options as given, and where things are looked up: those of the file beside it, others where one stands."""

    settings: Settings
    environ: Mapping[str, str]
    credential: str | None
    store: str | None
    read_back: str | None
    then: str | None
    emergency_dir: Path | None
    dry_run: bool
    yes: bool
    form: str
    quiet: bool

    def checked(self) -> "Asked":
        """UsageError for an option that cannot be meant; nothing was read or asked yet."""
        if self.credential is not None and not is_reference(self.credential):
            raise UsageError(
                "--credential: say where the token is, not the token: env:NAME, file:PATH, exec:COMMAND or "
                "keyring:SERVICE/USER (and replace the token if this one is real: it is in the shell's history)"
            )
        if self.read_back not in {None, "none"} and not is_place(self.read_back or ""):
            raise UsageError("--read-back: write file:PATH, exec:COMMAND, keyring:SERVICE/USER or none")
        if self.then is not None and (not self.then.startswith("exec:") or not is_place(self.then)):
            raise UsageError("--then: write exec:COMMAND")
        if not (self.yes or self.dry_run or (sys.stdin.isatty() and sys.stderr.isatty())):
            raise UsageError(
                "this changes tokens at Credly: say --yes off a terminal, or --dry-run to see what it would do"
            )
        return self

    def tasks(self, action: Action, description: str | None) -> list[Task]:
        """One for each organization of the settings; UsageError for what cannot be done."""
        organizations = self.settings.organizations
        if self.credential is not None and len(organizations) != 1:
            raise UsageError("--credential is a token of one organization: name it with --organization")
        maker = TaskMaker(self, Fingerprints(fingerprint_key(self.settings, self.settings.folder, self.environ)))
        tasks = [maker.task(each, action, description) for each in organizations]
        _must_differ([task.store for task in tasks], tasks, "go to the same store: use {id} in --store")
        _must_differ([task.lock for task in tasks], tasks, "have the same credential: rotate it for one of them")
        return tasks

    def carry_out(self, tasks: list[Task], *, due: timedelta | None = None) -> Result:
        """Do it, in the documented order."""
        emergency = emergency_folder(self.emergency_dir, self.environ)
        if not self.dry_run:
            must_hold_copies(emergency)
        campaign = Campaign(
            tasks,
            self.settings.api,
            self.fingerprints,
            emergency,
            self._agreed,
            due,
            self._then(),
            dry_run=self.dry_run,
            again=self._again,
        )
        return campaign.run()

    @property
    def fingerprints(self) -> Fingerprints:
        """Those of the settings."""
        return Fingerprints(fingerprint_key(self.settings, self.settings.folder, self.environ))

    def conclude(self, result: Result, began: datetime) -> ExitCode:
        """Print the report; Interrupted, after it, where somebody wanted to stop."""
        now = datetime.now(UTC)
        code = exit_code_of(result.outcomes)
        if self.form == "json":
            click.echo(report.as_json(result, code, began, now))
        elif not (self.quiet and code is ExitCode.OK and not result.left_behind):
            click.echo(report.as_text(result, now))
        if result.interrupted:
            raise Interrupted("interrupted: what was begun is finished, the rest was not begun")
        return code

    def _agreed(self, plan: Plan) -> bool:
        if self.yes:
            if not self.quiet:
                click.echo(report.announced(plan, datetime.now(UTC)), err=True)
            return True
        click.echo(report.announced(plan, datetime.now(UTC)), err=True)
        return click.confirm("Go on?", err=True)

    def _then(self) -> Then | None:
        if self.then is None:
            return None
        command = CommandStore.of(self.then.partition(":")[2], Path.cwd(), self.environ)
        command.check()

        def then(outcome: Outcome) -> None:
            said = {
                "CREDLY_AUDIT_ORGANIZATION": outcome.organization_id,
                "CREDLY_AUDIT_TOKEN_ID": outcome.token_id or "",
                "CREDLY_AUDIT_STATE": str(outcome.state),
            }
            run(command.words, command.folder, {**self.environ, **said})

        return then

    def _again(self, task: Task) -> Secret | None:
        if task.value is None:
            return None
        try:
            if self.credential is not None:
                return read(self.credential, Path.cwd(), self.environ)
            return read(task.organization.token or "", self.settings.folder, self.environ)
        except SecretError:
            return None


class TaskMaker:
    """Makes tasks: reads the credentials, finds the stores."""

    def __init__(self, asked: Asked, fingerprints: Fingerprints) -> None:
        self._asked = asked
        self._environ = asked.environ
        self._folder = asked.settings.folder
        self._who = credential_maker(asked.settings.api, fingerprints)
        self._own = {} if asked.credential else credentials(asked.settings.organizations, self._folder, self._environ)

    def task(self, organization: Organization, action: Action, description: str | None) -> Task:
        """The task for one organization; UsageError where it cannot be."""
        secret = self._secret(organization)
        if isinstance(secret, ClientCredentials) and action == "rotate":
            raise UsageError(f"{organization.called}: asks by OAuth, which has no token to rotate; use --credential")
        value = secret if isinstance(secret, Secret) else None
        named = secret.client_secret if isinstance(secret, ClientCredentials) else secret
        store, is_own_source = self._store(organization, action)
        return Task(
            action,
            organization,
            self._who(secret),
            value,
            lock_name(named),
            store,
            self._read_back(organization, action, store, is_own_source=is_own_source),
            self._fallback(organization),
            description,
        )

    def _secret(self, organization: Organization) -> Secret | ClientCredentials:
        if self._asked.credential is not None:
            return read(self._asked.credential, Path.cwd(), self._environ)
        secret = self._own[organization.id]
        if isinstance(secret, Unavailable):
            raise UsageError(f"{organization.called}: {secret.reason}")
        return secret
