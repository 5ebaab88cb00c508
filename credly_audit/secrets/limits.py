"""How long a source of secrets may take, and how much it may return."""

PATIENCE = 30.0
"""Seconds that a program, a keyring, a pipe or another package gets to return a secret, or to store one."""

PROGRAM_PATIENCE = 60.0
"""Seconds that a program gets to store a value."""

MOST = 1 << 16
"""Bytes of a secret at most; what returns more is a program or a device without an end."""

TOO_MUCH = f"gave more than {MOST >> 10} KiB, too large for a secret"
