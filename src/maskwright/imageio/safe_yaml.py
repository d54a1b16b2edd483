"""The one reader of YAML, for files of anyone: plain values, bounded in size and depth."""

from pathlib import Path
from typing import Any

import yaml

from maskwright.errors import ConfigError

_MAX_BYTES = 2**20
_MAX_DEPTH = 20
_MAX_DIGITS = 30  # of a number; more are no setting, and take long to convert
_PREFIX = "tag:yaml.org,2002:"
_PLAIN = {_PREFIX + name for name in ("null", "bool", "int", "float", "str", "seq", "map")}


def read_yaml(path: str | Path) -> Any:
    """Values in a YAML file, `None` where it is empty; `ConfigError` where it cannot be read."""
    try:
        with Path(path).open("rb") as file:
            content = file.read(_MAX_BYTES + 1)
        if len(content) > _MAX_BYTES:
            raise ConfigError(f"it has more than {_MAX_BYTES // 2**20} MB")
        return parse_yaml(content.decode("utf-8-sig"))
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error.strerror}.") from None
    except UnicodeDecodeError:
        raise ConfigError(f"{path} cannot be read: expected text in UTF-8.") from None
    except ConfigError as error:
        raise ConfigError(f"{path} cannot be read as YAML: {error}.") from None


def parse_yaml(text: str) -> Any:
    """Values in a YAML text; dates stay text, aliases and tags are refused.

    Raises:
        ConfigError: With what is wrong, a phrase that ends without a full stop.
    """
    try:
        return yaml.load(text, _Loader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        where = "" if mark is None else f" (line {mark.line + 1}, column {mark.column + 1})"
        raise ConfigError(f"{error.problem}{where}") from None
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise ConfigError(" ".join(str(error).split())) from None


def dump_yaml(values: Any, **options: Any) -> str:
    """YAML text of plain values, each written out in full; `options` are those of `yaml.dump`."""
    return str(yaml.dump(values, Dumper=_Dumper, sort_keys=False, **options))


def inline_yaml(value: Any) -> str:
    """YAML of plain values on one line, in quotes where it needs them: `[dent, 'no']`."""
    text = dump_yaml(value, default_flow_style=True, allow_unicode=True, width=float("inf"))
    return text.removesuffix("...\n").strip()


class _Dumper(yaml.SafeDumper):
    """Writes no aliases."""

    def ignore_aliases(self, data: Any) -> bool:
        """Always."""
        return True


class _Loader(yaml.SafeLoader):
    """Reads null, bool, int, float, text, lists and mappings."""

    yaml_implicit_resolvers = {  # noqa: RUF012
        start: [(tag, pattern) for tag, pattern in resolvers if tag in _PLAIN]
        for start, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }

    depth = 0

    def compose_node(self, parent: Any, index: Any) -> Any:
        """A node; aliases would be written out again and again."""
        event = self.peek_event()  # type: ignore[no-untyped-call]
        if isinstance(event, yaml.AliasEvent):
            problem = f"expected every value written out, received the alias *{event.anchor:.30}"
            raise _error(problem, event.start_mark)
        self.depth += 1
        if self.depth > _MAX_DEPTH:
            raise _error(f"expected at most {_MAX_DEPTH} levels", event.start_mark)
        node = super().compose_node(parent, index)
        self.depth -= 1
        return node

    def construct_object(self, node: Any, deep: bool = False) -> Any:
        """The value of a node."""
        if node.tag not in _PLAIN:
            problem = f"expected plain values, received the tag {node.tag:.40}"
            raise _error(problem, node.start_mark)
        number = node.tag in (_PREFIX + "int", _PREFIX + "float")
        if number and len(node.value) > _MAX_DIGITS:
            problem = f"expected a number of at most {_MAX_DIGITS} digits"
            raise _error(problem, node.start_mark)
        value = super().construct_object(node, deep=deep)
        if isinstance(value, str) and not _is_unicode(value):
            raise _error("expected text, received half of a surrogate pair", node.start_mark)
        return value

    def construct_mapping(self, node: Any, deep: bool = False) -> dict[Any, Any]:
        """A mapping whose keys are words or whole numbers, each once."""
        if not isinstance(node, yaml.MappingNode):
            raise _error("expected lines of `key: value`", node.start_mark)
        found: dict[Any, Any] = {}
        for key_node, value_node in node.value:
            key = self.construct_object(key_node, deep=True)
            if type(key) not in (str, int):
                problem = f"expected words as keys, received {key!r:.40}"
                raise _error(problem, key_node.start_mark)
            if key in found:
                problem = f"expected each key once, received {key!r:.40} twice"
                raise _error(problem, key_node.start_mark)
            found[key] = self.construct_object(value_node, deep=deep)
        return found


def _error(problem: str, mark: Any) -> yaml.MarkedYAMLError:
    return yaml.MarkedYAMLError(problem=problem, problem_mark=mark)


def _is_unicode(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
