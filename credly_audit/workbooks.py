"""Opens Excel workbooks that other programs wrote."""

import warnings
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import openpyxl
from openpyxl.utils.exceptions import InvalidFileException

from credly_audit.errors import ConfigurationError


@contextmanager
def opened(path: Path) -> Iterator[openpyxl.Workbook]:
    """The workbook, to be read a row at a time.

    OSError where the file cannot be read, ConfigurationError where it is no workbook or damaged.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of formatting by other programs that openpyxl does not know
        try:
            book = openpyxl.load_workbook(path, read_only=True, data_only=True)
        except (zipfile.BadZipFile, InvalidFileException, KeyError, ValueError, SyntaxError) as error:
            raise _damaged(path, error) from None
        try:
            yield book
        except (zipfile.BadZipFile, zlib.error, SyntaxError) as error:
            raise _damaged(path, error) from None
        finally:
            book.close()


def _damaged(path: Path, error: Exception) -> ConfigurationError:
    return ConfigurationError([f"{path}: not an XLSX workbook, or damaged ({type(error).__name__})"])
