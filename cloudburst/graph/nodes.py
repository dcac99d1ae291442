"""What an expression can be: the kinds of node, each a small frozen record.

A kind knows its ``head``: the bytes that stand for it in a key. Everything else about a node, its arguments and its
key, is the same for all kinds and stands in ``expr.py``.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from itertools import count
from typing import Any

from cloudburst.files import Clause, File, Labels, RowGroup
from cloudburst.keys import digest, encode
from cloudburst.resources import Size, parse_size

ANY_SIZE = Size()
"""Whatever the provider gives by default."""

_nonces = count(1)


def nonce() -> bytes:
    """Bytes that no other call in this process gets: they make an impure call its own."""
    return b"!%d;" % next(_nonces)


@dataclass(frozen=True, slots=True)
class Policy:
    """How a stage is performed: what the user said beside the function."""

    size: Size = ANY_SIZE
    timeout_s: float | None = None
    retries: int = 0
    cache: bool = False
    environment: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    """Variables that the code finds in its environment."""
    secrets: tuple[tuple[str, str], ...] = ()
    """Variables whose values the worker fetches: names, and where each value is kept."""

    def written(self) -> bytes:
        """Canonical bytes, for keys."""
        return encode((*self.size, self.timeout_s, self.retries, self.cache, self.environment, self.secrets))

    def surroundings(self) -> bytes:
        """Canonical bytes of what the code can see of it, for digests; nothing where that is nothing."""
        return encode((self.environment, self.secrets)) if self.environment or self.secrets else b""

    def resized(self, cpu: int | str | None, memory: int | str | None) -> Policy:
        """The same with another size; what is left out stays as it is.

        >>> Policy().resized("2 vCPU", None).resized(None, "8 GB").size
        Size(cpu=2048, memory=8192)
        """
        if cpu is None and memory is None:
            return self
        old = self.size
        size = parse_size(cpu if cpu is not None else old.cpu, memory if memory is not None else old.memory)
        return replace(self, size=size._replace(storage=old.storage, spot=old.spot))


def _last_part(qualified_name: str) -> str:
    return qualified_name.rpartition(".")[2].strip("<>")


@dataclass(frozen=True, slots=True, eq=False)
class Call:
    """A function applied to arguments: a stage where it has a policy, else an op made by ``cb.defer``."""

    function: Callable[..., Any]
    name: str
    """Qualified name, for people."""
    identity: bytes
    """Module, qualified name and ordinal of the function object in this process."""
    policy: Policy | None
    pure: bool = True
    fans: bool = False
    """Its first argument is a list over which it is mapped, and its value the list of results."""
    reads: tuple[tuple[str, tuple[str, ...]], ...] = ()
    """Parameters, and the only columns that it is given of them: its arguments are narrowed so already."""
    head: bytes = field(init=False)
    policy_written: bytes = field(init=False)
    label: str = field(init=False)

    def __post_init__(self) -> None:
        policy = self.policy.written() if self.policy is not None else b"op"
        kind = b"M" if self.fans else b"C"
        reads = (encode(self.reads),) if self.reads else ()
        object.__setattr__(self, "head", digest(kind, self.identity, policy, *reads))
        object.__setattr__(self, "policy_written", policy)
        object.__setattr__(self, "label", _last_part(self.name))


@dataclass(frozen=True, slots=True)
class Method:
    """A method of the first argument, called with the others."""

    name: str
    pure: bool = True

    @property
    def head(self) -> bytes:
        return b"." + self.name.encode()

    @property
    def label(self) -> str:
        return f".{self.name}()"


@dataclass(frozen=True, slots=True)
class Attribute:
    """An attribute of the argument."""

    name: str
    pure = True

    @property
    def head(self) -> bytes:
        return b"@" + self.name.encode()

    @property
    def label(self) -> str:
        return f".{self.name}"


@dataclass(frozen=True, slots=True)
class Operator:
    """A function of module ``operator``, or one of abs, divmod, pow and round; ``getitem`` is the item ``x[i]``."""

    name: str
    pure = True

    @property
    def head(self) -> bytes:
        return b"o" + self.name.encode()

    @property
    def label(self) -> str:
        return "[...]" if self.name == "getitem" else self.name


@dataclass(frozen=True, slots=True)
class Build:
    """A container made of its arguments: list, tuple, set, frozenset, dict, slice, or a dataclass."""

    container: str
    pure = True

    @property
    def head(self) -> bytes:
        return b"b" + self.container.encode()

    @property
    def label(self) -> str:
        return self.container


@dataclass(frozen=True, slots=True, eq=False)
class Literal:
    """A value given by the user, as a snapshot that nobody writes to: the object, or its pickle."""

    value: Any
    pickled: bool
    written: bytes
    """Digest of its canonical bytes."""
    portable: bool = True
    """Whether these bytes are the same in another process."""
    type_name: str = ""
    nbytes: int = 0
    pure = True

    @property
    def head(self) -> bytes:
        return b"v" + self.written

    @property
    def label(self) -> str:
        return self.type_name or type(self.value).__name__


@dataclass(frozen=True, slots=True, eq=False)
class FunctionValue:
    """A function or class given as a value; captured when the run starts, as stages are."""

    function: Callable[..., Any]
    name: str
    identity: bytes
    pure = True

    @property
    def head(self) -> bytes:
        return b"F" + self.identity

    @property
    def label(self) -> str:
        return _last_part(self.name)


@dataclass(frozen=True, slots=True, eq=False)
class Sized:
    """The argument's value, worked out in a task of this size."""

    policy: Policy
    pure = True

    @property
    def head(self) -> bytes:
        return b"z" + self.policy.written()

    @property
    def label(self) -> str:
        return "options"


@dataclass(frozen=True, slots=True, eq=False)
class Stored:
    """A value that lies in a store already: what ``persist()`` gives."""

    artifact: Any
    written: bytes
    """Digest or key of the expression whose value it is."""
    name: str
    store: Any = None
    """The store in which it lies; ``None`` for the store of the run."""
    groups: tuple[int, ...] | None = None
    """Read only the rows of these row groups, as a pass has found; ``None`` reads all."""
    pure = True

    @property
    def head(self) -> bytes:
        return b"s" + self.written + (b"" if self.groups is None else encode(self.groups))

    @property
    def label(self) -> str:
        return self.name


@dataclass(frozen=True, slots=True)
class Source:
    """Files read as one frame; its arguments are the reader's, all by name.

    ``columns`` and what follows it are set by passes alone: the caller's own ``columns=`` is an argument.
    """

    format: str
    """The reader of pandas without its ``read_``: ``"parquet"``, ``"csv"``."""
    files: tuple[File, ...]
    root: str = ""
    """The directory that the caller named, where the names of folders in it hold values (``year=2024``)."""
    columns: tuple[str, ...] | None = None
    """Read only these, where they are there; ``None`` reads all."""
    groups: tuple[RowGroup, ...] | None = None
    """Read only these rows; ``None`` reads all."""
    labels: Labels | None = None
    """With ``groups``: the labels that all rows have together, where they are a range."""
    nullable: tuple[str, ...] = ()
    """With ``groups``: columns that have a missing value somewhere, in what is read or not."""
    clauses: tuple[Clause, ...] = ()
    """With ``groups``: what every row fulfils that is needed; the others may be left out, or not."""
    endpoint_url: str | None = None
    """Of S3, where the files lie there; whatever boto3's own settings say if ``None``."""
    region: str | None = None
    """Of S3, as well."""
    pure = True

    @property
    def head(self) -> bytes:
        narrowed = (self.columns, self.groups, self.labels, self.nullable, self.clauses)
        lies = (self.files, self.root, self.endpoint_url, self.region)
        return b"r" + digest(encode((self.format, lies, narrowed), _as_tuple))

    @property
    def label(self) -> str:
        return f"read_{self.format}"


def _as_tuple(value: object) -> bytes | None:
    """Named tuples are written as the tuples that they are."""
    return encode(tuple(value), _as_tuple) if isinstance(value, File | RowGroup | Labels | Clause) else None


@dataclass(frozen=True, slots=True)
class Narrow:
    """The frame with only these of its columns, in its own order; those that it lacks are passed over."""

    columns: tuple[str, ...]
    pure = True

    @property
    def head(self) -> bytes:
        return b"n" + encode(self.columns)

    @property
    def label(self) -> str:
        return "reads"


@dataclass(frozen=True, slots=True)
class Relabel:
    """A frame filtered from rows some of which were not read, with the index that it has if all were read."""

    labels: Labels
    pure = True

    @property
    def head(self) -> bytes:
        return b"l" + encode(tuple(self.labels))

    @property
    def label(self) -> str:
        return "relabel"


What = (
    Call | Method | Attribute | Operator | Build | Literal | FunctionValue | Sized | Stored | Source | Narrow | Relabel
)
