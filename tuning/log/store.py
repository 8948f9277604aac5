"""Where a study's checkpoints lie: a local or shared path, or a URI that pyarrow knows (s3://, gs://, ...)."""

import os
import threading

from pyarrow import fs


class Store:
    """Bytes by name in one folder; a write is seen whole or not at all. Raises OSError as the file system does."""

    def __init__(self, uri: str) -> None:
        self.uri = uri
        self._fs, self._root = fs.FileSystem.from_uri(uri) if "://" in uri else (fs.LocalFileSystem(), uri)
        self._fs.create_dir(self._root, recursive=True)

    def write(self, name: str, content: bytes) -> None:
        """Keep bytes under a name, in place of what was there."""
        part = f"{self._root}/{name}.{threading.get_native_id()}.part"
        with self._fs.open_output_stream(part) as stream:
            stream.write(content)
        if isinstance(self._fs, fs.LocalFileSystem):
            with open(part, "rb") as written:
                os.fsync(written.fileno())
        self._fs.move(part, f"{self._root}/{name}")

    def exists(self, name: str) -> bool:
        """Whether there is anything under a name."""
        return self._fs.get_file_info(f"{self._root}/{name}").type == fs.FileType.File

    def names(self) -> set[str]:
        """All names under which there is anything."""
        found = self._fs.get_file_info(fs.FileSelector(self._root))
        return {info.base_name for info in found if info.type == fs.FileType.File}

    def read(self, name: str) -> bytes | None:
        """The bytes under a name, None where there are none."""
        if not self.exists(name):
            return None
        with self._fs.open_input_stream(f"{self._root}/{name}") as stream:
            return stream.read()

    def delete(self, name: str) -> None:
        """Forget what is under a name, if anything is."""
        if self.exists(name):
            self._fs.delete_file(f"{self._root}/{name}")


def checkpoint_name(trial: int) -> str:
    """The name of a trial's checkpoint in the store."""
    return f"{trial:05d}.pt"
