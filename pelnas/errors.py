"""Every error that pelnas raises on purpose, sorted by who can act on it.

::

    PelnasError
    ├── InputError            the caller can act; the command line prints it and exits with 2
    │   ├── ConfigError         a setting is unknown, missing or out of range
    │   ├── SpaceError          no such search space, or it cannot do what was asked
    │   ├── ArchitectureError   a text, index or genome names no architecture of the space
    │   ├── PredicateError      a condition over features cannot be read
    │   ├── DeviceError         no such device
    │   ├── DatasetError        no such dataset
    │   ├── DataError           a data folder or file lacks what was asked of it
    │   ├── ImagesError         images cannot be read or do not fit the network
    │   ├── ProxyError          a network or batch that a proxy cannot score
    │   ├── TrainingError       a network that cannot be trained with these settings
    │   ├── AcceleratorError    no such accelerator on this machine, or it cannot hold the batch
    │   │   └── MemoryLackError     the accelerator has no memory for a batch
    │   ├── ModelError          no such language model, or it cannot be reached as configured
    │   │   └── AddressError        a run names an address or a file that its user never named here
    │   ├── PromptError         a prompt file names an unknown variable
    │   ├── DirectiveError      a directive cannot be read, or cannot be obeyed as it stands
    │   ├── RunError            no such run, a run in use, or a run that is finished
    │   ├── StoreError          the run's folder cannot be written (disk full, read-only)
    │   ├── ReplayError         a recording lacks what a replay asks, or cannot be read
    │   ├── PoolError           workers that cannot be reached, do not fit, or are lost
    │   │   ├── WorkerDiedError     a task that ended its worker each time
    │   │   └── TaskFailedError     a task that failed within its worker, which lives
    │   └── UnreadableError     a file or text that its format's reader cannot read
    ├── AnswerError           a model can act: its answer is sent back once with this text
    ├── ModelCallError        a provider failed; the built-in designer takes over
    │   ├── ToolsRefusedError     a model or its server takes no tools; it is asked without
    │   └── PromptLimitError      a prompt has more tokens than it may, and cannot be shortened
    ├── Stopped               somebody asked the search to stop; it can be resumed
    └── BudgetExhausted       nobody needs to act: the run ends cleanly with its report

Each message is one sentence: what was expected, what was found, what to do.
"""

from collections.abc import Sequence


class PelnasError(Exception):
    """Root of the tree."""


class InputError(PelnasError):
    """Something the caller gave cannot be used; the message says what to change."""


class ConfigError(InputError):
    """A setting is unknown, missing or out of range."""


class SpaceError(InputError):
    """No such search space, or the space cannot do what was asked."""


class ArchitectureError(InputError):
    """A text, an index or a genome that names no architecture of the space."""


class PredicateError(InputError):
    """A condition over features that cannot be read."""


class DeviceError(InputError):
    """No such device."""


class DatasetError(InputError):
    """No such dataset."""


class DataError(InputError):
    """A data folder or file lacks what was asked of it."""


class ImagesError(InputError):
    """Images that cannot be read or do not fit the network."""


class ProxyError(InputError):
    """A network or a batch that a proxy cannot score."""


class TrainingError(InputError):
    """A network that cannot be trained with these settings."""


class AcceleratorError(InputError):
    """No such accelerator on this machine, or one that cannot do what was asked."""


class MemoryLackError(AcceleratorError):
    """An accelerator without memory for a batch."""


class ModelError(InputError):
    """No such language model, or it cannot be reached as configured."""


class AddressError(ModelError):
    """A run that may be somebody else's names places that nobody named on this machine.

    ``places``: addresses, and files as ``hand:FOLDER``, ``local:FILE`` and ``prompts:FOLDER``.
    """

    def __init__(self, places: Sequence[str]) -> None:
        self.places = tuple(places)
        first = ", ".join(place[:200] for place in self.places[:3])
        super().__init__(
            f"expected places that were named on this machine before, found {first} in the settings"
            " of the run: give --accept-address where it may get your keys, prompts and questions"
        )


class PromptError(InputError):
    """A prompt file that names an unknown variable or lacks a needed one."""


class DirectiveError(InputError):
    """A directive that cannot be read, does not fit the run, or cannot be obeyed beside others."""


class RunError(InputError):
    """No such run, a run in use by another process, or a run that is finished."""


class StoreError(InputError):
    """The run's folder cannot be written."""


class ReplayError(InputError):
    """A recording that lacks what a replay asks of it, or that cannot be read."""


class PoolError(InputError):
    """Workers, here or on other machines, that cannot be reached, do not fit, or are lost."""


class WorkerDiedError(PoolError):
    """A worker that ended in place of an answer; the text is what is known of it."""


class TaskFailedError(PoolError):
    """A task that failed within its worker; the text is the type of its exception and its words."""


class UnreadableError(InputError):
    """A file or a text that the reader of its format cannot read; the message is the reason alone."""


class AnswerError(PelnasError):
    """A model's answer that breaks its schema; sent back to the model once."""


class ModelCallError(PelnasError):
    """A provider failed to answer after its retries."""


class ToolsRefusedError(ModelCallError):
    """A model, or the server behind it, takes no tools."""


class PromptLimitError(ModelCallError):
    """A prompt that has more tokens than it may, whatever is left out; nothing was sent."""


class Stopped(PelnasError):  # noqa: N818 - nothing is wrong
    """Somebody asked the search to stop; it can be resumed."""


class BudgetExhausted(PelnasError):  # noqa: N818 - not an error of anybody's
    """A budget is spent; the run ends cleanly."""


def rebuilt(kind: str, message: str) -> InputError:
    """An InputError that another process raised, by the name of its type; of an unknown one its base."""
    found = globals().get(kind)
    if not isinstance(found, type) or not issubclass(found, InputError) or found is AddressError:
        found = InputError
    error: InputError = found(message)
    return error
