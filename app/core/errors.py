"""What can go wrong below the web: each error's text says what is wrong and what to do."""

import types
from collections import abc


class ConvScopeError(Exception):
    """The base of all errors that a user can do something about.

    ``faults`` has a sentence for each field of the input that is wrong, where that is known.
    """

    faults: abc.Mapping[str, str] = types.MappingProxyType({})

    def __str__(self) -> str:
        """What was said, for any log and any screen: names of files may hold halves of letters."""
        return super().__str__().encode(errors="backslashreplace").decode()


class UnreadableImage(ConvScopeError):
    """Bytes that are not a picture of a format that is read, or a damaged one."""


class ImageTooSmall(UnreadableImage):
    """A picture with too few pixels across to hold a drawing."""


class ImageTooLarge(ConvScopeError):
    """A picture with more pixels than the limit allows."""


class EmptyDrawing(ConvScopeError):
    """A picture without anything drawn on it."""


class InvalidPixels(ConvScopeError):
    """Numbers that are not a picture: ragged, out of range, not a number, wrongly nested."""


class UnreadableJson(ConvScopeError):
    """Bytes that are not JSON."""


class UnknownModel(ConvScopeError):
    """A model that does not exist."""


class NotEvaluated(ConvScopeError):
    """A model that has not been measured."""


class UnknownLayer(ConvScopeError):
    """A layer that the model does not have."""


class NoFilters(ConvScopeError):
    """A layer without weights."""


class UnknownChannel(ConvScopeError):
    """A channel that the layer does not have."""


class UnknownUnit(ConvScopeError):
    """A row or column that the layer's maps do not have."""


class Unexplained(ConvScopeError):
    """A layer whose arithmetic isn't known here; the message says why."""


class UnknownImage(ConvScopeError):
    """An image id under which nothing is kept."""


class DamagedImage(ConvScopeError):
    """A file of ours that no longer holds the picture that was kept in it."""


class UnknownRun(ConvScopeError):
    """A run id that nothing has; the message says where the runs are listed."""


class UnknownSnapshot(ConvScopeError):
    """An epoch of which a run has no snapshot."""


class UnknownSweep(ConvScopeError):
    """A sweep id that nothing has; the message says where the sweeps are listed."""


class RunConflict(ConvScopeError):
    """A run in a state in which this can't be done; the message says in which it can."""


class QueueFull(ConvScopeError):
    """So many runs wait that no other is taken."""


class ShippedModel(ConvScopeError):
    """A model that came with ConvScope can't be deleted."""


class ModelInUse(ConvScopeError):
    """A model whose deletion would break something; the message says what."""


class DatasetUnavailable(ConvScopeError):
    """A data set that is neither on this machine nor to be fetched."""


class UnreadableWeights(ConvScopeError):
    """A weight file that is damaged or does not fit the network."""


class StorageUnavailable(ConvScopeError):
    """A folder of ours that can't be written, or has no room left."""


class StorageBusy(StorageUnavailable):
    """A file of ours that another process holds just now."""


class StorageDamaged(StorageUnavailable):
    """A file of ours that can't be read any more, without which nothing is known of runs."""


class InvalidSettings(ConvScopeError):
    """Settings in the environment that can't be used."""
