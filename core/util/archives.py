"""Reading of untrusted zip archives."""

import io
import stat
import struct
import zlib
from zipfile import ZIP_DEFLATED, ZIP_STORED, BadZipFile, ZipInfo

from core.util.errors import SteerError

# All that `zipfile` raises for a damaged archive, depending on the part that is damaged.
DAMAGE = (BadZipFile, NotImplementedError, RuntimeError, EOFError, ValueError, struct.error, zlib.error)
_ENCRYPTED = 1


class LimitedReads(io.BufferedReader):
    """A file that gives a few megabytes at a time.

    `zipfile` takes an archive's whole directory into memory before anybody can count its entries.
    """

    _LIMIT = 1 << 22

    def read(self, size: int | None = -1, /) -> bytes:
        """Read as any file does.

        Raises:
            SteerError: More is asked for than an archive's directory takes.
        """
        data = super().read(self._LIMIT + 1 if size is None or size < 0 else min(size, self._LIMIT + 1))
        if len(data) > self._LIMIT:
            raise SteerError(f"the archive's directory is larger than {self._LIMIT} bytes; Steer writes none so large")
        return data


def entry_fault(entry: ZipInfo) -> str | None:
    """Why an entry of an archive is not to be unpacked, whatever it holds; None if it may be."""
    if entry.orig_filename != entry.filename:  # `filename` ends before a zero byte
        return "has a name with a zero byte"
    if stat.S_IFMT(entry.external_attr >> 16) not in (0, stat.S_IFREG):
        return "is no plain file but a link, a folder or a device"
    if entry.flag_bits & _ENCRYPTED:
        return "is encrypted"
    if entry.compress_type not in (ZIP_STORED, ZIP_DEFLATED):
        return "is packed in a way that Steer does not read"
    return None
