"""What the user's code raised, as data: a message, a traceback of their own frames, and the exception if it can travel.

An exception travels as a pickle that gives it back with its cause and its context, which plain pickle forgets. What
does not come back from a pickle as the same type with the same text stays behind: then only the words travel.
"""

from __future__ import annotations

import pickle
import traceback
from pathlib import Path
from types import TracebackType

from cloudburst.errors import StageError
from cloudburst.runtime.events import Cause, Failure

LONGEST = 1 << 16
"""Characters of a traceback, and of a message, that are kept."""

LARGEST = 1 << 24
"""Bytes of a pickled exception beyond which it stays behind."""

_LINKS = 16
"""How many causes of causes travel."""

_OURS = str(Path(__file__).parents[1])
_ASYNCIO = "asyncio"


def failure_of(error: BaseException, step: int | None = None, cause: Cause = "raised") -> Failure:
    """Describe an exception.

    Parameters
    ----------
    error : BaseException
        As it was caught.
    step : int, optional
        The step at which it happened.
    cause : str, default "raised"
        What kind of failure it is.

    Returns
    -------
    Failure
        Without the exception itself where that is none to raise in the user's program (``SystemExit``,
        ``KeyboardInterrupt``) or does not survive a pickle.

    Examples
    --------
    >>> failure_of(ValueError("no rows")).message
    'ValueError: no rows'
    """
    error.__traceback__ = _users_frames(error.__traceback__)
    lines = "".join(traceback.format_exception(error))
    if len(lines) > LONGEST:
        lines = f"{lines[: LONGEST // 2]}\n[...]\n{lines[-LONGEST // 2 :]}"
    exception = pickled(error) if isinstance(error, Exception) else None
    return Failure(cause, describe(error)[:LONGEST], step, exception, lines)


def describe(error: BaseException) -> str:
    """``TypeName: text``, whatever the exception's own ``__str__`` does."""
    kind = type(error).__qualname__
    try:
        text = str(error)
    except Exception as inner:  # noqa: BLE001 - it is the user's
        text = f"<its text cannot be shown: {type(inner).__qualname__}>"
    return f"{kind}: {text}" if text else kind


def pickled(error: Exception) -> bytes | None:
    """An exception as a pickle that ``pickle.loads`` turns back into it, with causes, contexts and notes.

    Returns
    -------
    bytes or None
        ``None`` if it would not come back as what it is.
    """
    if _survives(error) is None:
        return None
    chain: list[BaseException] = [error]
    links: list[tuple[int | None, int | None, bool]] = []
    for one in chain:  # grows while it is walked
        link = _place(chain, one.__cause__), _place(chain, one.__context__), one.__suppress_context__
        links.append(link)
    parts = [_survives(one) or pickle.dumps(StageError(describe(one)), 5) for one in chain]
    data = pickle.dumps(_Chain(parts, links), 5)
    return data if len(data) <= LARGEST else None


class _Chain:
    """Pickles as the exception that a chain begins with."""

    def __init__(self, parts: list[bytes], links: list[tuple[int | None, int | None, bool]]) -> None:
        self.parts = parts
        self.links = links

    def __reduce__(self) -> tuple[object, ...]:
        return rebuild, (self.parts, self.links)


def rebuild(parts: list[bytes], links: list[tuple[int | None, int | None, bool]]) -> BaseException:
    """The exception of a chain, linked up again: what a pickle of :func:`pickled` calls."""
    errors: list[BaseException] = [pickle.loads(part) for part in parts]
    for error, (cause, context, is_suppressed) in zip(errors, links, strict=True):
        error.__cause__ = None if cause is None else errors[cause]
        error.__context__ = None if context is None else errors[context]
        error.__suppress_context__ = is_suppressed
    return errors[0]


class _WithoutInit:
    """Pickles as an exception, to be made again of its arguments and attributes without a call of its ``__init__``."""

    def __init__(self, error: BaseException) -> None:
        self.error = error

    def __reduce__(self) -> tuple[object, ...]:
        return without_init, (type(self.error), self.error.args, self.error.__dict__)


def without_init(kind: type[BaseException], args: tuple[object, ...], attributes: dict[str, object]) -> BaseException:
    """An exception of this kind as it was, whatever its ``__init__`` would ask for."""
    error = kind.__new__(kind, *args)
    error.args = args
    error.__dict__.update(attributes)
    return error


def _place(chain: list[BaseException], linked: BaseException | None) -> int | None:
    if linked is None:
        return None
    for number, one in enumerate(chain):
        if one is linked:
            return number
    if len(chain) >= _LINKS:
        return None
    chain.append(linked)
    return len(chain) - 1


def _survives(error: BaseException) -> bytes | None:
    """The pickle of an exception, if loading it gives the same type and the same text."""
    import cloudpickle

    ways = (  # the second for classes of the user's own script, the last for an __init__ that its own args do not fit
        (pickle.dumps, error),
        (cloudpickle.dumps, error),
        (cloudpickle.dumps, _WithoutInit(error)),
    )
    for dumps, what in ways:
        try:
            data: bytes = dumps(what, 5)
            back = pickle.loads(data)
        except Exception:  # noqa: BLE001 - the answer is no
            continue
        if type(back) is type(error) and describe(back) == describe(error):
            return data
    return None


def _users_frames(frames: TracebackType | None) -> TracebackType | None:
    """A traceback without the frames of ours, and of asyncio's, that the user's code was called from."""
    while frames is not None and _is_ours(frames):
        frames = frames.tb_next
    return frames


def _is_ours(frames: TracebackType) -> bool:
    name = frames.tb_frame.f_globals.get("__name__", "")
    file = frames.tb_frame.f_code.co_filename
    return file.startswith(_OURS) or name.partition(".")[0] == _ASYNCIO
