"""Every layer's call in a forward pass, as it happens.

A layer is the call of a module without children. Outside of those, an addition of two activations
and a flatten are layers too where they are functions: a ResNet's ``out += identity`` is no module.
"""

from collections.abc import Callable, Container, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain, count
from typing import Any

from torch import Tensor, nn
from torch.autograd.graph import Node
from torch.overrides import TorchFunctionMode

from app.core.layers import Addition
from app.core.receptive_fields import Shape

# What autograd knows a tensor by: the node that made it, and which of the node's outputs it is.
Origin = tuple[Node, int] | None

_ADDITIONS = {"add", "add_", "__add__", "__iadd__", "__radd__"}
_FLATTENS = {"flatten", "view", "reshape"}


@dataclass(frozen=True, eq=False)
class Given:
    """A tensor as a layer was given it: its shape, with the batch, and whence it came.

    It is looked at before the call, since an in-place layer changes where it comes from.
    """

    shape: Shape
    origin: Origin

    @classmethod
    def of(cls, tensor: Tensor) -> "Given":
        """What there is to know of a tensor now."""
        return cls(tuple(tensor.shape), origin_of(tensor))


@dataclass(frozen=True, eq=False)
class Call:
    """A layer's call: its name, what it was given, and the module that does the same.

    ``path`` is the module's in the network, None for a function.
    """

    name: str
    path: str | None
    module: nn.Module
    given: tuple[Given, ...]


# Called with what a layer was given and with what it gave.
Note = Callable[[Call, Tensor], None]


def origin_of(tensor: Tensor) -> Origin:
    """Where autograd says that a tensor comes from; None where it doesn't know."""
    node = tensor.grad_fn
    return None if node is None else (node, tensor.output_nr)


@contextmanager
def watch_layers(network: nn.Module, note: Note) -> Iterator[None]:
    """Tell ``note`` of every layer's call, in forward order, under a name of its own."""
    watch = _Watch(network, note)
    handles = []
    for path, module in network.named_modules():
        handles.append(module.register_forward_pre_hook(watch.entering(path), with_kwargs=True))
        handles.append(module.register_forward_hook(watch.leave, with_kwargs=True))
    try:
        with watch:
            yield
    finally:
        for handle in handles:
            handle.remove()


@contextmanager
def watch_outputs(network: nn.Module, note: Callable[[str, Tensor], None]) -> Iterator[None]:
    """Tell ``note`` of every layer's name and output, as ``watch_layers`` names them.

    Hearing of every function there is takes about as long as a small network itself, so it is done
    only where functions may be called: a Sequential calls nothing but modules.
    """
    if any(_may_call_functions(module) for module in network.modules()):
        with watch_layers(network, lambda call, out: note(call.name, out)):
            yield
        return
    taken = {"input"}

    def leaving(path: str) -> Callable[[nn.Module, object, object], None]:
        def leave(module: nn.Module, inputs: object, out: object) -> None:
            if made := _tensors(list(out) if isinstance(out, tuple | list) else [out]):
                name = unused_name(path or type(module).__name__.lower(), taken)
                taken.add(name)
                note(name, made[0])

        return leave

    leaves = [pair for pair in network.named_modules() if not any(pair[1].children())]
    handles = [module.register_forward_hook(leaving(path)) for path, module in leaves]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def _may_call_functions(module: nn.Module) -> bool:
    return any(module.children()) and type(module).forward is not nn.Sequential.forward


@dataclass(frozen=True, eq=False)
class _Entered:
    """A module whose forward is running."""

    path: str
    leaf: bool
    given: tuple[Given, ...]


class _Watch(TorchFunctionMode):
    """Sees functions by being a mode of torch's, and modules by hooks."""

    def __init__(self, network: nn.Module, note: Note) -> None:
        super().__init__()
        self._note = note
        self._entered: list[_Entered] = []
        self._taken = {"input"}
        # What is added to an activation from here is no activation, but a kind of bias.
        self._own = {id(tensor) for tensor in chain(network.parameters(), network.buffers())}

    def entering(self, path: str) -> Callable[[nn.Module, tuple[Any, ...], dict[str, Any]], None]:
        """The hook that is called before the module at ``path``."""

        def enter(module: nn.Module, inputs: tuple[Any, ...], named: dict[str, Any]) -> None:
            leaf = not any(module.children())
            given = _tensors([*inputs, *named.values()]) if leaf else []
            self._entered.append(_Entered(path, leaf, tuple(map(Given.of, given))))

        return enter

    def leave(
        self, module: nn.Module, inputs: tuple[Any, ...], named: dict[str, Any], out: object
    ) -> None:
        """The hook that is called after a module."""
        entered = self._entered.pop()
        made = _tensors(list(out) if isinstance(out, tuple | list) else [out])
        if entered.given and made:
            name = entered.path or type(module).__name__.lower()
            self._tell(name, entered.path, module, entered.given, made[0])

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Any,  # noqa: ANN401
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:  # noqa: ANN401
        named = kwargs or {}
        inside = self._entered[-1] if self._entered else None
        name = getattr(func, "__name__", "")
        if inside is None or inside.leaf or name not in _ADDITIONS | _FLATTENS:
            return func(*args, **named)
        given = _tensors([*args, *named.values()])
        looked_at = tuple(map(Given.of, given))
        added = name in _ADDITIONS and self._are_added(given, named)
        out = func(*args, **named)
        if added:
            self._tell(_within(inside.path, "add"), None, Addition(), looked_at, out)
        elif name in _FLATTENS and _is_flat(given, out):
            self._tell(_within(inside.path, "flatten"), None, nn.Flatten(), looked_at, out)
        return out

    def _are_added(self, given: list[Tensor], named: Mapping[str, Any]) -> bool:
        """Whether these are two activations, and are added as they are."""
        return (
            len(given) == 2
            and given[0].shape == given[1].shape
            and given[0].ndim > 1
            and all(one.is_floating_point() and id(one) not in self._own for one in given)
            and named.get("alpha", 1) == 1
        )

    def _tell(
        self,
        name: str,
        path: str | None,
        module: nn.Module,
        given: tuple[Given, ...],
        out: Tensor,
    ) -> None:
        unused = unused_name(name, self._taken)
        self._taken.add(unused)
        self._note(Call(unused, path, module, given), out)


def _is_flat(given: list[Tensor], out: object) -> bool:
    """Whether maps of a batch became a row of numbers for each."""
    if not given or not isinstance(out, Tensor) or given[0].ndim < 3:
        return False
    return out.ndim == 2 and out.shape[0] == given[0].shape[0]


def _within(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name


def _tensors(values: list[Any]) -> list[Tensor]:
    return [value for value in values if isinstance(value, Tensor)]


def unused_name(name: str, taken: Container[str]) -> str:
    """The name, or with the first number behind it that makes it a new one."""
    names = chain([name], (f"{name}_{number}" for number in count(1)))
    return next(one for one in names if one not in taken)
