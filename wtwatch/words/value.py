"""A frozen value that is more than the tuple of its fields: for states and plans."""

from typing import Any, Never, dataclass_transform


@dataclass_transform(frozen_default=True)
class Value:
    """What a frozen dataclass is, without the 10 ms that a status would wait for `dataclasses` to load.

    The fields of a subclass are its annotations, with their defaults; subclasses are not derived from
    further. Unlike a tuple, a value is never falsy, has no order and no length, and equals only what is of
    its own kind: `Waiting()` is neither `()` nor another state. Type checkers know it by PEP 681.
    """

    __match_args__: tuple[str, ...] = ()

    def __init_subclass__(cls) -> None:
        cls.__match_args__ = tuple(cls.__annotations__)  # type: ignore[misc]

    def __init__(self, *values: Any, **named: Any) -> None:
        fields = self.__match_args__
        given = dict(zip(fields, values, strict=False))
        wrong = [*values[len(fields) :], *(name for name in named if name not in fields or name in given)]
        given |= named
        missing = [name for name in fields if name not in given and not hasattr(type(self), name)]
        if wrong or missing:
            raise TypeError(f"{type(self).__name__}: {missing} missing, {wrong} too many")
        for name in fields:
            self.__dict__[name] = given[name] if name in given else getattr(type(self), name)

    def __setattr__(self, name: str, value: object) -> Never:
        raise AttributeError(f"{type(self).__name__} is frozen: {name} stays as it is")

    def __delattr__(self, name: str) -> Never:
        raise AttributeError(f"{type(self).__name__} is frozen: {name} stays as it is")

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other) and self.__dict__ == other.__dict__

    def __hash__(self) -> int:
        return hash((type(self), *self.__dict__.values()))

    def __repr__(self) -> str:
        return (
            f"{type(self).__name__}({', '.join(f'{key}={value!r}' for key, value in self.__dict__.items())})"
        )
