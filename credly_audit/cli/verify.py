"""`verify`: compare the files of an audit with its manifest, and manifests with each other."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from credly_audit.cli.options import FILE, FOLDER
from credly_audit.cli.screen import print_lines
from credly_audit.errors import ExitCode, UsageError
from credly_audit.instants import iso_day
from credly_audit.manifest.chain import ChainCheck
from credly_audit.manifest.contents import STANDARD_OUTPUT, list_differences
from credly_audit.manifest.envelope import ManifestFile
from credly_audit.manifest.signing_keys import load_public_keys
from credly_audit.text import count

if TYPE_CHECKING:
    from securesystemslib.signer import Key


@click.command()
@click.argument("manifest", type=FILE, required=False)
@click.option(
    "--key",
    "keys",
    type=FILE,
    multiple=True,
    metavar="PUBLIC",
    help="Public key (PEM) of a person or machine that may sign; repeatable, as for keys that were replaced.",
)
@click.option(
    "--chain",
    type=FOLDER,
    metavar="FOLDER",
    help="Also check that no signed manifest in this folder was altered, removed or inserted. Needs --key.",
)
def verify(manifest: Path | None, keys: tuple[Path, ...], chain: Path | None) -> ExitCode:
    """Compare every file of an audit with the SHA-256 in its manifest.

    The copies of the policy files in the manifest are checked too, and with --key its signature. Exit codes: 0 all
    files are unchanged; 1 there are differences, each one named; 2 the manifest or a key cannot be read.
    """
    if manifest is None and chain is None:
        raise UsageError("verify: name a MANIFEST, or the folder of several with --chain")
    if chain is not None and not keys:
        raise UsageError("--chain: only signed manifests can be checked; name the public key with --key")
    known = load_public_keys(keys) if keys else []
    file = None if manifest is None else ManifestFile.read(manifest)
    found = [] if file is None else list(_list_faults(file, known))
    check = None if chain is None else ChainCheck.of(chain, known)
    if check is not None:
        own = "" if file is None else f"{file.name}: "
        found += [each for each in check.faults if each.removeprefix(own) not in found and each not in found]
    if file is not None and check is not None and file.sha256 not in check.digests:
        found.append(f"{file.name}: is not in {chain}")
    for each in found:
        print_lines(each)
    if found:
        return ExitCode.VIOLATIONS
    if file is not None:
        print_lines(_describe(file, signed=bool(keys)))
    if check is not None:
        print_lines(_describe_chain(check))
    return ExitCode.OK


def _list_faults(file: ManifestFile, keys: "Sequence[Key]") -> Iterator[str]:
    """Yield what is wrong with a manifest; only its signature, where that is wrong."""
    fault = file.find_fault(keys) if keys else None
    if fault is None:
        yield from list_differences(file.manifest, file.path.parent)
    else:
        yield f"{file.name}: {fault}"


def _describe(file: ManifestFile, *, signed: bool) -> str:
    listed = file.manifest
    spoken = sum(each.path == STANDARD_OUTPUT for each in listed.files)
    files = count(len(listed.files) - spoken, "file", "files")
    copies = f" and {count(len(listed.policy), 'policy file', 'policy files')}" if listed.policy else ""
    unchecked = (
        f"; {count(spoken, 'report', 'reports')} went to standard output and cannot be checked" if spoken else ""
    )
    state = "; signature valid" if signed else "; signature not checked" if file.envelope else ""
    return (
        f"{files}{copies} unchanged since {iso_day(listed.generated_at)} {listed.generated_at:%H:%M} UTC"
        f"{unchecked}{state}."
    )


def _describe_chain(check: ChainCheck) -> str:
    unchained = f"; {count(check.unchained, 'audit is', 'audits are')} in no chain" if check.unchained else ""
    manifests = count(len(check.chained), "signed manifest forms", "signed manifests form")
    chains = count(len({each.link.series for each in check.chained}), "chain", "chains")
    return f"{manifests} {chains} without a gap{unchained}."
